/**
 * One program of the network's contract as a process: says its lines as JSON on standard output.
 *
 *   node NetworkPeer.fixture.ts server PORT
 *   node NetworkPeer.fixture.ts CALLER INPUT
 */
import { writeSync } from "node:fs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Programs from "../../core/socket/NetworkPrograms.fixture.ts"
import * as WebSocketDial from "../websocket/WebSocketDial.ts"
import * as HttpCalling from "./HttpCalling.ts"
import * as HttpServing from "./HttpServing.ts"

/** At once, so that what a killed process has said was heard. */
const tell = (line: unknown) => Effect.sync(() => void writeSync(1, `${JSON.stringify(line)}\n`))

const say = Layer.succeed(Programs.Say, tell)

// Whoever started it holds the other end of this, and takes it along when he is killed.
process.stdin.once("end", () => process.exit()).resume()
process.stdin.unref()

const [role = "", argument = ""] = process.argv.slice(2)

const serve = (port: number) =>
  Programs.server.pipe(
    Layer.provideMerge(
      Layer.effectDiscard(
        Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
          "port" in address ? tell({ port: address.port }) : Console.error("no port")
        )
      )
    ),
    Layer.provide(HttpServing.layer({ host: "127.0.0.1", port, socketLimits: Programs.serverLimits })),
    Layer.provide(say),
    Layer.launch
  )

const call = (name: Programs.CallerName, input: Programs.Input) =>
  Effect.provide(
    Programs.callerOf(name)(input),
    Layer.mergeAll(WebSocketDial.layer(Programs.clientLimits), HttpCalling.layer, say)
  )

NodeRuntime.runMain(
  role === "server"
    ? serve(Number(argument))
    : call(role as Programs.CallerName, JSON.parse(argument) as Programs.Input)
)
