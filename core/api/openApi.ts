/** What is served, as an OpenAPI 3.1 document, with what is no endpoint of `Api`: the watch streams, the sessions of agents and the state
 * of a node. */
import * as OpenApi from "effect/http-api/OpenApi"
import { clusterKinds, projectKinds } from "../watch/WatchFrame.ts"
import { Api } from "./Api.ts"

const text = (description: string) => ({
  description,
  content: { "text/event-stream": { schema: { type: "string" } } }
})
const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: { type: "object" } } }
})

/** Of whatever asks for a key. */
const refusedAtTheGate = {
  401: problem("No key, or none that is known"),
  403: problem("The key is not for this"),
  429: problem("Too much is asked for: come again when Retry-After says so"),
  503: problem("Not just now")
}

const watching = (operationId: string, summary: string, kinds: ReadonlyArray<string>, isOfProject: boolean) => ({
  get: {
    tags: ["watch"],
    operationId,
    summary,
    description:
      "Server-sent events. `reset`: whatever was known is void. `changes`: events, whole transactions where `isComplete`. `bookmark`: everything up to here was told. The id of each is the token to go on from, on any node. Asked to upgrade, the same as messages of a WebSocket, `{ event, id, data }`; its close code 4410 is what 410 is here.",
    parameters: [
      ...(isOfProject ? [{ name: "project", in: "path", required: true, schema: { type: "string" } }] : []),
      {
        name: "kinds",
        in: "query",
        required: false,
        schema: { type: "string" },
        description: `any of ${kinds.join(", ")}, separated by commas`,
        example: kinds.join(",")
      },
      { name: "after", in: "query", required: false, schema: { type: "string" }, description: "a token to go on from" },
      { name: "last-event-id", in: "header", required: false, schema: { type: "string" }, description: "as `after`" }
    ],
    security: [{ bearer: [] }],
    responses: {
      101: { description: "The stream, as messages of a WebSocket" },
      200: text("The stream"),
      400: problem("The request is not what is taken here"),
      ...refusedAtTheGate,
      410: problem("What happened since the token is not kept any more: list again")
    }
  }
})

const session = {
  get: {
    tags: ["agents"],
    operationId: "agents.session",
    summary: "The session of an agent, over a WebSocket",
    description:
      "Text messages, each a frame: the agent says `Hello`, is told `Welcome`, and then says `Report` and `Beat`, and is told `Work`. A close code says why it ends.",
    parameters: [{ name: "agent", in: "path", required: true, schema: { type: "string" } }],
    security: [{ bearer: [] }],
    responses: {
      101: { description: "The session" },
      400: problem("The request is not what is taken here"),
      ...refusedAtTheGate,
      426: problem("The request does not ask for an upgrade"),
      503: problem("Too many come at once: come again when Retry-After says so")
    }
  }
}

const health = (operationId: string, summary: string) => ({
  get: {
    tags: ["health"],
    operationId,
    summary,
    parameters: [],
    security: [],
    responses: { 200: { description: "So it is" }, 503: { description: "Not so, and why" } }
  }
})

const metrics = {
  get: {
    tags: ["health"],
    operationId: "health.metrics",
    summary: "What a node counts, as Prometheus reads it",
    description: "For whoever may read everything, as the names of fleets are in it.",
    parameters: [],
    security: [{ bearer: [] }],
    responses: {
      200: { description: "The metrics", content: { "text/plain": { schema: { type: "string" } } } },
      ...refusedAtTheGate
    }
  }
}

const paths = {
  "/v1/projects/{project}/watch": watching("watch.project", "What changes in a project", projectKinds, true),
  "/v1/watch": watching("watch.cluster", "What changes in the control plane", clusterKinds, false),
  "/v1/agents/{agent}/session": session,
  "/live": health("health.live", "The process answers"),
  "/started": health("health.started", "The node has joined"),
  "/ready": health("health.ready", "Requests should come here"),
  "/metrics": metrics
}

/** The API as it is described: whatever makes a document of it makes this one. */
export const DescribedApi = Api.annotateMerge(
  OpenApi.annotations({
    title: "Stormglass",
    version: "1",
    description:
      "Every refusal is `application/problem+json` (RFC 9457). Whatever changes something takes an idempotency key. Fleets and instances have an ETag: `If-None-Match` on a read is answered with 304, `If-Match` on a change with 412.",
    transform: (made) => ({ ...made, paths: { ...made["paths"], ...paths } })
  })
)

/** Made once. */
export const document = OpenApi.fromApi(DescribedApi)

export const documentText = JSON.stringify(document)
