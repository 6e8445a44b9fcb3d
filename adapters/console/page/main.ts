/** The page: what it shows of the streams, what it asks besides, and what its reader can do. */
import { ofFleet } from "../../../core/api/etag.ts"
import { healthOf } from "../connection.ts"
import { type FleetHistory, record, unstableFor } from "../fleetHistory.ts"
import { agentsOf, type FleetRow, fleetRows, instancesFound, onTheirWay, type Placed } from "../fleetRows.ts"
import { compareNumbered, leaseRows, memberRows, otherNodes } from "../holdings.ts"
import type { Tables } from "../documents.ts"
import { noTables } from "../tables.ts"
import { ageOf, counted, duration } from "../texts.ts"
import { ask, get, type Outcome, type Say, type Wish } from "./api.ts"
import {
  agentsIn,
  type AuditEntry,
  auditIn,
  changesIn,
  leasesIn,
  membersIn,
  movingIn,
  type OperationEntry,
  operationsIn,
  unsettledIn
} from "./clusterPanels.ts"
import { creationIn, type Written } from "./creation.ts"
import { deletionIn } from "./deletion.ts"
import { found, element, setAttribute, setHidden, setText } from "./dom.ts"
import { cardsIn, type Drafts } from "./fleetCards.ts"
import { instancesIn, instancesShownMax } from "./instanceTable.ts"
import { describe, listen, type Shortcut } from "./keyboard.ts"
import * as Preferences from "./preferences.ts"
import { WatchStream } from "./streams.ts"

const cardsMax = 60
const movingMax = 8
const changesShownMax = 50
const refreshMillis = 5_000
/** After a wish, whose effects come one after the other. */
const refreshSoonMillis = 300
/** Who looks elsewhere for a moment comes back to a stream that is still open. */
const restAfterMillis = 30_000

const at = {
  announcement: found("announcement", HTMLElement),
  find: found("find", HTMLInputElement),
  health: found("health", HTMLElement),
  healthText: found("health-text", HTMLElement),
  help: found("help", HTMLDialogElement),
  key: found("key", HTMLInputElement),
  lost: found("lost", HTMLElement),
  lostElsewhere: found("lost-elsewhere", HTMLElement),
  lostText: found("lost-text", HTMLElement),
  project: found("project", HTMLInputElement),
  sign: found("sign", HTMLButtonElement),
  signIn: found("sign-in", HTMLDialogElement),
  singleKeys: found("single-keys", HTMLInputElement),
  theme: found("theme", HTMLButtonElement)
}
const note = (id: string, text: string): void => setText(found(id, HTMLElement), text)

// What changes between two drawings.
let project = Preferences.readProject()
let streams = openStreams()
let history: FleetHistory = new Map()
let recorded: Tables | undefined
let asked: Refreshed = nothingAsked()
let isDrawing = false
let wasSignedOut = false
let wasRefused = false
const drafts: Drafts = new Map()

/** Only what the reader has seen is changed. */
const seen = (fleet: FleetRow) => ({ "if-match": ofFleet(fleet) })
const showCards = cardsIn(
  found("fleet-cards", HTMLElement),
  {
    scale: (fleet, desired, say) => put(fleet.name, { desired, spec: fleet.spec }, seen(fleet), say),
    pause: (fleet, paused, say) =>
      put(fleet.name, { desired: fleet.desired, spec: fleet.spec, paused }, seen(fleet), say),
    redrive: (fleet, say) =>
      wish({ method: "POST", path: `${pathOf(fleet.name)}/redrive`, condition: seen(fleet) }, say),
    remove: deletionIn(found("delete", HTMLDialogElement), (fleet, say) =>
      wish({ method: "DELETE", path: pathOf(fleet.name), condition: seen(fleet) }, say)
    )
  },
  drafts
)
const askForFleet = creationIn(found("create", HTMLDialogElement), create, (name) =>
  setText(at.announcement, `${name} is wanted`)
)
const showInstances = instancesIn(found("instance-rows", HTMLElement))
const showChanges = changesIn(found("change-rows", HTMLElement))
const showMoving = movingIn(found("moving-rows", HTMLElement))
const showUnsettled = unsettledIn(found("moving-fleets", HTMLElement))
const showMembers = membersIn(found("member-rows", HTMLElement))
const showLeases = leasesIn(found("lease-rows", HTMLElement))
const showAgents = agentsIn(found("agent-rows", HTMLElement))
const showOperations = operationsIn(found("operation-rows", HTMLElement))
const showAudit = auditIn(found("audit-rows", HTMLElement))

interface Streams {
  readonly ofProject: WatchStream
  readonly ofCluster: WatchStream
}

function openStreams(): Streams {
  return {
    ofProject: new WatchStream(`/v1/projects/${encodeURIComponent(project)}/watch`, changed),
    ofCluster: new WatchStream("/v1/watch", changed)
  }
}

const both = (): ReadonlyArray<WatchStream> => [streams.ofProject, streams.ofCluster]

/** Draws once for everything that changes until then. */
function changed(): void {
  if (isDrawing) return
  isDrawing = true
  requestAnimationFrame(() => {
    isDrawing = false
    draw()
  })
}

function draw(): void {
  const [nowMillis, wallMillis] = [performance.now(), Date.now()]
  const { log, shown: ofProject } = streams.ofProject.watched
  const { heardMillis = nowMillis, phase } = streams.ofProject.connection
  const moment = { nowMillis, untilMillis: phase._tag === "Live" ? nowMillis : heardMillis }
  const ofCluster = streams.ofCluster.watched.shown
  drawHealth(nowMillis)
  noticeSignedOut()

  const tables = ofProject ?? noTables
  const fleets = fleetRows(tables)
  if (ofProject !== undefined && recorded !== ofProject) {
    history = record(history, fleets, nowMillis)
    recorded = ofProject
  }
  const wanted = at.find.value.trim()
  const words = wanted.toLowerCase().split(/\s+/)
  const named = fleets.filter(({ name, why }) => words.some((word) => `${name} ${why ?? "stable"}`.includes(word)))
  const instances = instancesFound(tables, wanted)
  const agentOf = agentsOf(tables, asked.agentOf)
  // Of what is sought the fleets of the instances that were found, too.
  const of = new Set(instances.map(({ document }) => document.fleet))
  const shown = wanted === "" ? fleets : fleets.filter((fleet) => named.includes(fleet) || of.has(fleet.id))
  showCards(
    shown.slice(0, cardsMax).map((fleet) => ({
      fleet,
      samples: history.get(fleet.id) ?? [],
      tally: log.tallies.get(fleet.id),
      moment,
      wallMillis
    }))
  )
  note("fleets-count", ofProject === undefined ? "" : String(fleets.length))
  note("fleets-note", absence(streams.ofProject, true) ?? more(shown.length, cardsMax, "No fleet", "fleets"))
  const isRefused = phase._tag === "Refused"
  if (isRefused && !wasRefused) void offerProjects()
  wasRefused = isRefused
  const elsewhere = found("fleets-elsewhere", HTMLElement)
  elsewhere.hidden = !isRefused || elsewhere.querySelector("a") === null
  found("fleets-first", HTMLElement).hidden = ofProject === undefined || fleets.length > 0
  showInstances(
    instances
      .slice(0, instancesShownMax)
      .map((told) => ({ told, nowMillis, wallMillis, agent: agentOf.get(told.document.uid) }))
  )
  note("instances-count", ofProject === undefined ? "" : String(tables.instance.size))
  note(
    "instances-note",
    absence(streams.ofProject) ?? more(instances.length, instancesShownMax, "No instance", "instances")
  )

  const { changes } = log
  showChanges(
    changes
      .slice(-changesShownMax)
      .toReversed()
      .map((change) => ({ change, nowMillis }))
  )
  note("changes-count", changes.length === 0 ? "" : String(changes.at(-1)!.nr))
  note("changes-note", changes.length === 0 ? (absence(streams.ofProject) ?? "None since this page is open.") : "")

  const moving = onTheirWay(tables)
  const unstable = fleets.filter(({ why }) => why !== undefined)
  showUnsettled(
    unstable.slice(0, movingMax).map(({ id, name, pausedAt, why = "" }) => {
      const lasts = unstableFor(history.get(id) ?? [], moment.untilMillis, log.tallies.get(id)?.isPart === false)
      return { name, why, lasts: pausedAt === null ? (lasts ?? "") : ageOf(pausedAt, wallMillis) }
    })
  )
  showMoving(moving.slice(0, movingMax).map((told) => ({ told, nowMillis })))
  note("moving-count", summary(unstable, moving.length))
  const rest = moving.length > movingMax ? `and ${counted(moving.length - movingMax, "instance")} more` : ""
  const settled = unstable.length === 0 && moving.length === 0 ? "Everything is as it is wanted." : rest
  note("moving-note", absence(streams.ofProject) ?? settled)

  const cluster = ofCluster ?? noTables
  const members = memberRows(cluster)
  const present = members.filter(({ member }) => member.leavingAt === null)
  showMembers(
    members.map((row) => ({ row, heardAt: asked.members.get(row.member.id) ?? row.member.seenAt, wallMillis }))
  )
  note("members-count", ofCluster === undefined ? "" : String(present.length))
  note("members-note", absence(streams.ofCluster, true) ?? "")
  const leases = leaseRows(cluster)
  showLeases(leases.map((row) => ({ row, heardAt: undefined, wallMillis })))
  note(
    "leases-count",
    ofCluster === undefined ? "" : String(leases.filter(({ releasedAt }) => releasedAt === null).length)
  )
  note("leases-note", absence(streams.ofCluster) ?? "")
  const running = new Map<string, number>()
  for (const { document } of tables.instance.values()) {
    const agent = document.state === "RUNNING" ? agentOf.get(document.uid) : undefined
    if (agent !== undefined) running.set(agent, (running.get(agent) ?? 0) + 1)
  }
  const agents = [...cluster.agent.values()].map(({ document }) => document)
  showAgents(
    agents
      .toSorted((one, other) => compareNumbered(one.id, other.id))
      .map((row) => ({
        row,
        heardAt: asked.agents.get(row.id) ?? row.heardAt,
        wallMillis,
        instances: running.get(row.id) ?? 0
      }))
  )
  note("agents-count", ofCluster === undefined ? "" : String(agents.length))
  note(
    "agents-note",
    absence(streams.ofCluster) ??
      (agents.length === 0 && ofCluster !== undefined ? "No agent has registered; nothing can run." : "")
  )

  const { operations } = asked
  showOperations((operations ?? []).map((entry) => ({ entry, wallMillis })))
  note(
    "operations-note",
    absence(streams.ofProject) ?? (operations?.length === 0 ? "Nothing was asked for in this project." : "")
  )
  found("audit", HTMLElement).hidden = asked.audit === undefined
  note("audit-note", asked.audit?.length === 0 ? "Nothing was done." : "")
  showAudit((asked.audit ?? []).toReversed().map((entry) => ({ entry, wallMillis })))
}

function summary(unstable: ReadonlyArray<FleetRow>, moving: number): string {
  const fleets = unstable.length === 0 ? [] : [counted(unstable.length, "fleet")]
  return [...fleets, ...(moving === 0 ? [] : [counted(moving, "instance")])].join(", ")
}

/** Why there is nothing to show; undefined where there is. What is refused is explained in the first place of its stream. */
function absence({ connection, watched }: WatchStream, isFirst = false): string | undefined {
  const { phase } = connection
  if (phase._tag === "Refused") return isFirst ? phase.why : "It is not shown to this key."
  if (watched.shown !== undefined) return undefined
  return phase._tag === "SignedOut" ? "Sign in to see them." : "Nothing was heard yet."
}

function more(count: number, max: number, none: string, many: string): string {
  if (count === 0) return at.find.value.trim() === "" ? `${none} in this project.` : `${none} is found.`
  return count > max ? `${counted(count - max, "more", "more")} ${many}; find them by name.` : ""
}

let announced = ""

function drawHealth(nowMillis: number): void {
  const { ageMillis, level, text } = healthOf(
    both().map(({ connection }) => connection),
    nowMillis
  )
  const age = ageMillis === undefined ? "" : `, ${duration(ageMillis)} old`
  setAttribute(at.health, "data-level", level)
  setText(at.healthText, level === "lost" ? `lost${age}` : `${text}${age}`)
  document.title = level === "live" ? `${project} – Stormglass` : `(${level}) ${project} – Stormglass`
  setHidden(at.lost, level !== "lost", found("fleets", HTMLElement))
  if (level === "lost") {
    const what = ageMillis === undefined ? "Nothing was heard yet" : `What is shown is ${duration(ageMillis)} old`
    setText(at.lostText, `${text[0]!.toUpperCase()}${text.slice(1)}. ${what}.`)
    drawElsewhere()
  }
  if (announced !== level) {
    announced = level
    // What is lost is said by the alert.
    setText(at.announcement, level === "lost" ? "" : level === "live" ? "Live" : text)
  }
  at.sign.hidden = Preferences.readKey() === undefined && level !== "refused"
  setText(at.sign, Preferences.readKey() === undefined ? "Sign in" : "Sign out")
}

/** The consoles of the other members. */
function drawElsewhere(): void {
  const links = otherNodes(streams.ofCluster.watched.shown ?? noTables, location.origin).map(({ id, origin }) =>
    element("a", { href: `${origin}/console${location.hash}`, rel: "noreferrer" }, id)
  )
  const text = links.length === 0 ? "" : `Elsewhere: ${links.map(({ textContent }) => textContent).join(" ")}`
  if (at.lostElsewhere.textContent === text) return
  at.lostElsewhere.replaceChildren(
    ...(links.length === 0 ? [] : ["Elsewhere:", ...links.flatMap((link) => [" ", link])])
  )
}

// What streams do not tell: when members and agents were heard last, which agent runs what, operations and the audit log.

interface Refreshed {
  readonly members: ReadonlyMap<string, number | null>
  readonly agents: ReadonlyMap<string, number | null>
  /** By the uid of an instance. */
  readonly agentOf: ReadonlyMap<string, Placed>
  /** The newest first. Undefined: not asked yet. */
  readonly operations: ReadonlyArray<OperationEntry> | undefined
  /** Undefined: it is not for this reader. */
  readonly audit: ReadonlyArray<AuditEntry> | undefined
}

function nothingAsked(): Refreshed {
  return { members: new Map(), agents: new Map(), agentOf: new Map(), operations: undefined, audit: undefined }
}

let isAuditKept = true
let refreshing: ReturnType<typeof setTimeout> | undefined

function refreshIn(millis: number): void {
  clearTimeout(refreshing)
  refreshing = setTimeout(() => {
    refreshIn(refreshMillis)
    void refresh()
  }, millis)
}

const isLive = ({ connection }: WatchStream): boolean => connection.phase._tag === "Live"

async function refresh(): Promise<void> {
  if (document.hidden) return
  const asking = streams
  const [ofCluster, ofProject] = [isLive(streams.ofCluster), isLive(streams.ofProject)]
  const running = `/v1/projects/${encodeURIComponent(project)}/instances?state=RUNNING&fields=uid,agent,revision`
  const [members, agents, audit, operations, placed] = await Promise.all([
    ofCluster ? get("/v1/members") : undefined,
    ofCluster ? get("/v1/agents") : undefined,
    ofCluster && isAuditKept ? get("/v1/audit?limit=50") : undefined,
    ofProject ? get(`/v1/projects/${encodeURIComponent(project)}/operations?limit=50`) : undefined,
    ofProject && isAgentMissing() ? get(running) : undefined
  ])
  // What was asked with a key that was given up is nobody's here any more.
  if (asking !== streams) return
  // Until another key is given: it would be refused again.
  if (audit !== undefined && audit.status >= 400 && audit.status < 500 && audit.status !== 429) isAuditKept = false
  asked = {
    members: timesOf(members?.document, "seenAt") ?? asked.members,
    agents: timesOf(agents?.document, "heardAt") ?? asked.agents,
    agentOf: placedOf(placed?.document) ?? asked.agentOf,
    operations: rowsOf<OperationEntry>(operations?.document, "items") ?? asked.operations,
    audit: audit === undefined ? asked.audit : (rowsOf<AuditEntry>(audit.document, "entries") ?? asked.audit)
  }
  changed()
}

/** That an agent speaks for an instance for the first time is no change which a stream tells. */
function isAgentMissing(): boolean {
  const { shown = noTables } = streams.ofProject.watched
  const known = agentsOf(shown, asked.agentOf)
  return [...shown.instance.values()].some(({ document }) => document.state === "RUNNING" && !known.has(document.uid))
}

function placedOf(document: unknown): ReadonlyMap<string, Placed> | undefined {
  const items = rowsOf<Placed & { readonly uid: string }>(document, "items")
  return items === undefined ? undefined : new Map(items.map((row) => [row.uid, row]))
}

function timesOf(document: unknown, field: string): ReadonlyMap<string, number | null> | undefined {
  const items = rowsOf<Record<string, unknown>>(document, "items")
  return items === undefined ? undefined : new Map(items.map((row) => [String(row["id"]), row[field] as number | null]))
}

function rowsOf<Row>(document: unknown, field: "items" | "entries"): ReadonlyArray<Row> | undefined {
  return (document as { readonly [F in typeof field]?: ReadonlyArray<Row> } | undefined)?.[field]
}

// What the reader does.

const pathOf = (name: string): string =>
  `/v1/projects/${encodeURIComponent(project)}/fleets/${encodeURIComponent(name)}`

const put = (name: string, body: unknown, condition: Wish["condition"], say: Say): Promise<Outcome> =>
  wish({ method: "PUT", path: pathOf(name), body, condition }, say)

async function wish(wish: Wish, say: Say): Promise<Outcome> {
  const meaning = await ask(wish, say)
  if (meaning._tag === "SignIn") askForKey(meaning.why)
  refreshIn(refreshSoonMillis)
  return meaning
}

/** What is there already is not changed. */
function create({ desired, image, isDryRun, name, size }: Written, say: Say): Promise<Outcome> {
  const body = { desired: Number(desired), spec: { image, size } }
  return wish({ method: "PUT", path: pathOf(name), isDryRun, body, condition: { "if-none-match": "*" } }, say)
}

function openCreate(): void {
  setText(found("create-head", HTMLElement), `New fleet in ${project}`)
  askForFleet()
}

function askForKey(why: string): void {
  setText(found("sign-in-why", HTMLElement), why)
  if (!at.signIn.open) at.signIn.showModal()
  // What was refused is still there, to be mended or written over.
  at.key.select()
}

/** With other rights all is heard anew. */
function begin(): void {
  for (const stream of both()) stream.rest()
  streams = openStreams()
  history = new Map()
  recorded = undefined
  asked = nothingAsked()
  isAuditKept = true
  wasSignedOut = false
  wasRefused = false
  for (const stream of both()) stream.open()
  refreshIn(refreshSoonMillis)
  changed()
}

/** Asked once for each time that it becomes so: who has said "not now" is left alone. */
function noticeSignedOut(): void {
  const phase = both()
    .map(({ connection }) => connection.phase)
    .find(({ _tag }) => _tag === "SignedOut")
  const isSignedOut = phase !== undefined
  if (!at.signIn.open && both().some(isLive)) at.key.value = ""
  // Who has given none need not be told that.
  if (isSignedOut && !wasSignedOut) askForKey(Preferences.readKey() !== undefined && "why" in phase ? phase.why : "")
  wasSignedOut = isSignedOut
}

function applyTheme(): void {
  const theme = Preferences.readTheme()
  document.documentElement.setAttribute("data-theme", theme)
  setText(at.theme, `Theme: ${theme}`)
}

function nextTheme(): void {
  const { themes } = Preferences
  Preferences.keepTheme(themes[(themes.indexOf(Preferences.readTheme()) + 1) % themes.length]!)
  applyTheme()
}

function moveAmongCards(by: 1 | -1): void {
  const cards = [...document.querySelectorAll<HTMLElement>(".card")]
  const here = cards.findIndex((card) => card.contains(document.activeElement))
  const next = cards[here === -1 ? (by === 1 ? 0 : cards.length - 1) : here + by]
  next?.focus()
}

function focusScale(): void {
  const here = document.activeElement?.closest(".card") ?? document.querySelector(".card")
  const field = here?.querySelector<HTMLInputElement>(".scaling input")
  field?.focus()
  field?.select()
}

/** Of the fleet that has the focus, and of no other: who errs here loses more than a count. */
function pressHere(button: string): void {
  document.activeElement?.closest(".card")?.querySelector<HTMLButtonElement>(button)?.click()
}

const panels = [
  ["fleets", "the fleets"],
  ["instances", "the instances"],
  ["changes", "what has changed"],
  ["moving", "what is under way"],
  ["members", "the members"],
  ["leases", "the leases"],
  ["agents", "the agents"],
  ["operations", "the operations"],
  ["audit", "the audit"]
] as const

const shortcuts: ReadonlyArray<Shortcut> = [
  { key: "?", what: "these keys", act: () => at.help.showModal() },
  { key: "/", what: "find fleets and instances", act: () => at.find.focus() },
  { key: "j", what: "the next fleet", act: () => moveAmongCards(1) },
  { key: "k", what: "the fleet before", act: () => moveAmongCards(-1) },
  { key: "s", what: "scale this fleet, or the first one: then digits or arrows, and Enter", act: focusScale },
  { key: "h", what: "hold this fleet: pause it, or resume it", act: () => pressHere(".pause") },
  { key: "d", what: "delete this fleet, after a question", act: () => pressHere(".remove") },
  {
    key: "n",
    what: "a new fleet",
    act: openCreate
  },
  { key: "p", what: "another project", act: () => at.project.select() },
  { key: "t", what: "another theme", act: nextTheme },
  { key: "r", what: "open the streams anew", act: () => both().forEach((stream) => stream.open()) },
  ...panels.map(([id, what], index) => ({
    key: String(index + 1),
    what: `to ${what}`,
    act: () => found(id, HTMLElement).focus()
  }))
]

function onSubmit(id: string, act: (form: HTMLFormElement) => void): void {
  const form = found(id, HTMLFormElement)
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    act(form)
  })
}

onSubmit("project-form", () => {
  Preferences.keepProject(at.project.value.trim())
  at.project.blur()
})
onSubmit("find-form", () => found("fleets", HTMLElement).focus())
onSubmit("sign-in-form", () => {
  const key = at.key.value.trim()
  if (!/^[\x21-\x7e]+$/.test(key)) return askForKey("A key is printable characters without spaces.")
  at.signIn.close()
  Preferences.keepKey(key)
  begin()
})
found("sign-in-cancel", HTMLButtonElement).addEventListener("click", () => at.signIn.close())
at.sign.addEventListener("click", () => {
  if (Preferences.readKey() === undefined) return askForKey("")
  Preferences.keepKey(undefined)
  at.key.value = ""
  drafts.clear()
  begin()
})
found("create-open", HTMLButtonElement).addEventListener("click", openCreate)
at.project.addEventListener("focus", () => void offerProjects())
at.find.addEventListener("input", changed)
at.find.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return
  at.find.value = ""
  changed()
  at.find.blur()
})
at.theme.addEventListener("click", nextTheme)
at.singleKeys.addEventListener("change", () => Preferences.keepSingleKeys(at.singleKeys.checked))
found("help-open", HTMLButtonElement).addEventListener("click", () => at.help.showModal())
found("lost-retry", HTMLButtonElement).addEventListener("click", () => both().forEach((stream) => stream.open()))
addEventListener("hashchange", () => {
  project = Preferences.readProject()
  at.project.value = project
  drafts.clear()
  begin()
})

/** Those that the reader may read, where a project is written, and as ways out of one that he may not. */
async function offerProjects(): Promise<void> {
  const asking = streams
  const names = rowsOf<{ readonly name: string }>((await get("/v1/projects"))?.document, "items") ?? []
  if (asking !== streams) return
  found("projects", HTMLDataListElement).replaceChildren(...names.map(({ name }) => element("option", { value: name })))
  const links = names.map(({ name }) => element("a", { href: Preferences.hashOf(name) }, name))
  found("fleets-elsewhere", HTMLElement).replaceChildren("You may read:", ...links.flatMap((link) => [" ", link]))
}

let resting: ReturnType<typeof setTimeout> | undefined
document.addEventListener("visibilitychange", () => {
  clearTimeout(resting)
  if (document.hidden) {
    resting = setTimeout(() => both().forEach((stream) => stream.rest()), restAfterMillis)
    return
  }
  // Browsers open few connections to one host: a tab that nobody sees keeps none.
  for (const stream of both()) if (stream.connection.phase._tag === "Resting") stream.open()
  changed()
})

applyTheme()
at.project.value = project
at.singleKeys.checked = Preferences.readSingleKeys()
describe(shortcuts, found("help-keys", HTMLElement))
listen(shortcuts, () => at.singleKeys.checked)
begin()
setInterval(() => {
  for (const stream of both()) stream.tick()
  changed()
}, 1_000)
