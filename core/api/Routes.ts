/** The whole API as routes, without a server. */
import * as Layer from "effect/Layer"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as AgentsApi from "./AgentsApi.ts"
import { Api } from "./Api.ts"
import * as AuditApi from "./AuditApi.ts"
import * as Authorized from "./Authorized.ts"
import * as DeadLettersApi from "./DeadLettersApi.ts"
import * as EventsApi from "./EventsApi.ts"
import * as FleetsApi from "./FleetsApi.ts"
import * as InspectionApi from "./InspectionApi.ts"
import * as InstancesApi from "./InstancesApi.ts"
import * as KeysApi from "./KeysApi.ts"
import * as OperationsApi from "./OperationsApi.ts"
import * as ProjectsApi from "./ProjectsApi.ts"
import * as QuotasApi from "./QuotasApi.ts"
import * as Readable from "./Readable.ts"
import * as WellFormed from "./WellFormed.ts"

export const layer = HttpApiBuilder.layer(Api).pipe(
  Layer.provide([
    FleetsApi.layer,
    InstancesApi.layer,
    DeadLettersApi.layer,
    AgentsApi.layer,
    InspectionApi.layer,
    ProjectsApi.layer,
    OperationsApi.layer,
    EventsApi.layer,
    QuotasApi.layer,
    KeysApi.layer,
    AuditApi.layer
  ]),
  Layer.provide([WellFormed.layer, Readable.layer, Authorized.layer])
)
