/** Who may do what: verbs on projects, deny by default. Pure. */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import { nameExpected, Text } from "../ports/Text.ts"
import { nameCharsMax, principalCharsMax, projectsPerKeyMax } from "../Limits.ts"

/** `admin` is for keys and the audit, `agent` for what agents say; none of the four includes another. */
export const verbs = ["read", "write", "agent", "admin"] as const
export const Verb = Schema.Literals(verbs)
export type Verb = typeof Verb.Type

/** What is done by these belongs to no project: who has one of them without every project can do nothing with it. */
export const clusterVerbs: ReadonlyArray<Verb> = ["agent", "admin"]

/** Every project there is, and what belongs to none: members, leases, agents, keys. */
export const everyProject = "*"

const projectExpected = `the name of a project (${nameExpected}), or *`

/** Projects by name, or "*" for all. */
export const Scope = Schema.Array(
  Schema.String.check(
    Schema.isPattern(/^(\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$/, { expected: projectExpected }),
    Schema.isMaxLength(nameCharsMax, { expected: projectExpected })
  )
).check(Schema.isMinLength(1), Schema.isMaxLength(projectsPerKeyMax))

const principalExpected = `a name without spaces and slashes, at most ${principalCharsMax} characters, that begins with neither jwt: nor cert:`

/** No "/", which separates the parts of the scope of an idempotency key; "jwt:" and "cert:" are for those who come with other credentials. */
export const PrincipalName = Text.check(
  Schema.isPattern(/^(?!jwt:|cert:)[^/\s]+$/, { expected: principalExpected }),
  Schema.isMaxLength(principalCharsMax, { expected: principalExpected })
)

/** Somebody who has shown who he is. */
export interface Principal {
  readonly name: string
  /** The API key that he came with; null for other credentials. */
  readonly keyId: string | null
  readonly verbs: ReadonlyArray<Verb>
  readonly projects: ReadonlyArray<string>
}

/** What a request needs; of an instance, the project is known when its row is, and of `projects` there are those that the principal has. */
export interface Need {
  readonly verb: Verb
  readonly of: "cluster" | "project" | "projects" | "instance"
}

/** The annotation of an endpoint. One that has none is for those who administer everything. */
export const Access: Context.Reference<Need> = Context.Reference<Need>("stormglass/core/identity/Access", {
  defaultValue: () => ({ verb: "admin", of: "cluster" })
})

/** `project` undefined: what belongs to no project. */
export const mayDo = ({ projects, verbs }: Principal, verb: Verb, project: string | undefined): boolean =>
  verbs.includes(verb) && (projects.includes(everyProject) || (project !== undefined && projects.includes(project)))

/** Whether the request may go on to its handler; for an instance, or for any project, this is but the first look. */
export const mayAsk = (principal: Principal, need: Need, project: string | undefined): boolean =>
  need.of === "instance" || need.of === "projects"
    ? principal.verbs.includes(need.verb)
    : mayDo(principal, need.verb, project)

/** Why a key of these could do nothing with one of its verbs; undefined where each is good for something. */
export const vainVerb = (verbs: ReadonlyArray<Verb>, projects: ReadonlyArray<string>): string | undefined => {
  const vain = verbs.find((verb) => clusterVerbs.includes(verb))
  return vain === undefined || projects.includes(everyProject)
    ? undefined
    : `the verb ${vain} is for what belongs to no project: give it with every project (*), or leave it out`
}

/** What a principal lacks for what it asks, what it has, and where more is to be had; one line. It is told of its own rights alone. */
export const lacking = (principal: Principal, { of, verb }: Need, project: string | undefined): string => {
  const { name, projects, verbs } = principal
  const where =
    of === "cluster" ? "for all projects (*)" : project === undefined ? "in any project" : `for project ${project}`
  const shown = [...projects.slice(0, projectsShownMax), ...(projects.length > projectsShownMax ? ["…"] : [])]
  const has = verbs.length === 0 || projects.length === 0 ? "nothing" : `${verbs.join(", ")} for ${shown.join(", ")}`
  const making = `stormglass keys create --verbs ${verb} --projects ${of === "cluster" || project === undefined ? "'*'" : project}`
  return `${name} needs the verb ${verb} ${where} and has ${has}; who administers keys makes one that has it: ${making}`
}

/** Nobody reads more of them. */
const projectsShownMax = 5

/** Of a control plane that asks nobody who he is. */
export const anyone: Principal = { name: "anonymous", keyId: null, verbs, projects: [everyProject] }

/** The principal of the request that is being handled. */
export class Asking extends Context.Service<Asking, Principal>()("stormglass/core/identity/Asking") {}
