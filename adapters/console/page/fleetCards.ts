/**
 * A fleet as a card: what is wanted and what runs, now and over the last minutes, why they differ, how many are wanted from now on, and whether
 * it is left as it is, or goes.
 */
import type { Tally } from "../changeLog.ts"
import { type Moment, type Sample, chartOf, unstableFor, windowMillis } from "../fleetHistory.ts"
import type { FleetRow } from "../fleetRows.ts"
import { ageOf, counted, duration, listed } from "../texts.ts"
import type { Outcome, Say } from "./api.ts"
import { drawing, element, keyed, type Row, setAttribute, setHidden, setText } from "./dom.ts"

export interface Card {
  readonly fleet: FleetRow
  readonly samples: ReadonlyArray<Sample>
  /** Undefined: nothing has changed since it was seen first. */
  readonly tally: Tally | undefined
  readonly moment: Moment
  readonly wallMillis: number
}

/** Each sends the wish, and says meanwhile what it waits for. */
export interface Wishes {
  readonly scale: (fleet: FleetRow, desired: number, say: Say) => Promise<Outcome>
  readonly pause: (fleet: FleetRow, isPaused: boolean, say: Say) => Promise<Outcome>
  readonly redrive: (fleet: FleetRow, say: Say) => Promise<Outcome>
  /** Asks the reader first. */
  readonly remove: (fleet: FleetRow) => void
}

const plot = { width: 300, height: 64 }

/** By the id of a fleet, what its reader has written as its count and not sent. It outlives the card, and a sign-in. */
export type Drafts = Map<string, string>

export const cardsIn = (list: HTMLElement, wishes: Wishes, drafts: Drafts): ((cards: ReadonlyArray<Card>) => void) =>
  keyed(
    list,
    ({ fleet }) => fleet.id,
    (card) => cardOf(card, wishes, drafts)
  )

function cardOf({ fleet: first }: Card, { pause, redrive, remove, scale }: Wishes, drafts: Drafts): Row<Card> {
  const { id, name } = first
  let fleet = first
  const head = `fleet-${name}`
  const why = element("p", { class: "why" })
  const about = element("p", { class: "about" })
  const running = element("b")
  const wanted = element("span")
  const doing = element("p", { class: "about" })
  const lately = element("p", { class: "about tally" })
  const failing = element("p", { class: "failing" })
  const [top, start] = [element("span"), element("span")]
  const [area, desiredLine, runningLine] = [
    drawing("path", { class: "area" }),
    drawing("path", { class: "desired" }),
    drawing("path", { class: "running" })
  ]
  const chart = drawing(
    "svg",
    { role: "img", viewBox: `0 0 ${plot.width} ${plot.height}`, preserveAspectRatio: "none" },
    area,
    runningLine,
    desiredLine
  )
  const legend = element(
    "span",
    { class: "legend", "aria-hidden": "true" },
    element("span", {}, element("i"), "running"),
    element("span", {}, element("i", { class: "desired" }), "desired")
  )

  const count = element("input", {
    type: "number",
    min: "0",
    max: "1000",
    step: "1",
    value: drafts.get(id) ?? String(first.desired),
    "aria-label": `Desired instances of ${name}`
  })
  const submit = element("button", { type: "submit", "aria-label": `Scale ${name}` }, "Scale")
  const said = element("p", { class: "said", role: "status" })
  const step = (by: 1 | -1) => {
    const label = by === 1 ? `One more of ${name}` : `One less of ${name}`
    const button = element("button", { type: "button", class: "step", "aria-label": label }, by === 1 ? "+" : "−")
    button.addEventListener("click", () => {
      count.value = String(Math.min(1_000, Math.max(0, (count.valueAsNumber || 0) + by)))
      written()
    })
    return button
  }
  // What is wrong with a count is said where everything else is said.
  const form = element("form", { class: "scaling", novalidate: "" }, step(-1), count, step(1), submit)
  const show = (): void => {
    // Not disabled, which would take the focus from whoever has just pressed it.
    setAttribute(submit, "aria-disabled", String(isLeaving() || count.value === String(fleet.desired)))
  }
  const written = (): void => {
    if (count.value === String(fleet.desired)) drafts.delete(id)
    else drafts.set(id, count.value)
    show()
  }
  const isLeaving = (): boolean => fleet.deletionRequestedAt !== null
  count.addEventListener("input", written)
  count.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return
    count.value = String(fleet.desired)
    written()
    say("")
    card.focus()
  })
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    const desired = count.valueAsNumber
    if (isLeaving()) return
    if (Number.isNaN(desired)) return say("desired: a number is needed", true)
    if (desired === fleet.desired) return
    const { generation } = fleet
    void send(`asks for ${desired}`, `${desired} wanted`, async (say) => {
      const outcome = await scale(fleet, desired, say)
      if (outcome._tag === "Done") granted = { count: String(desired), generation }
      return outcome
    })
  })
  /** The count that was sent and taken. Until the fleet is shown at a later generation it is shown for it. */
  let granted: { readonly count: string; readonly generation: number } | undefined
  const pausing = element("button", { type: "button", class: "pause" })
  pausing.addEventListener("click", () => {
    if (isLeaving()) return
    const isPaused = fleet.pausedAt === null
    const [asking, done] = isPaused ? ["asks for a pause", "paused"] : ["resumes it", "resumed"]
    void send(asking, done, (say) => pause(fleet, isPaused, say))
  })
  const redriving = element(
    "button",
    { type: "button", class: "redrive", "aria-label": `Try ${name} again` },
    "Try again"
  )
  redriving.addEventListener("click", () => {
    if (!isLeaving()) void send("asks for another try", "tried again", (say) => redrive(fleet, say))
  })
  const removing = element(
    "button",
    { type: "button", class: "remove", "aria-haspopup": "dialog", "aria-label": `Delete ${name}` },
    "Delete…"
  )
  removing.addEventListener("click", () => {
    if (!isLeaving()) remove(fleet)
  })
  const send = async (asking: string, done: string, sent: (say: Say) => Promise<Outcome>): Promise<void> => {
    say(asking)
    const meaning = await sent((waiting) => say(waiting))
    if (meaning._tag === "Done") say(done)
    else say(meaning.why, true)
  }
  const say = (text: string, isBad = false): void => {
    setText(said, text)
    setAttribute(said, "data-bad", String(isBad))
  }

  const card = element(
    "li",
    { class: "card", tabindex: "-1", "aria-labelledby": head },
    element("div", { class: "card-head" }, element("h3", { id: head }, name), why),
    element("div", { class: "figures" }, running, wanted),
    element(
      "div",
      { class: "plot" },
      element("span", { class: "scale", "aria-hidden": "true" }, top, element("span", {}, "0")),
      chart,
      element("span", { class: "axis", "aria-hidden": "true" }, start, legend, element("span", {}, "now"))
    ),
    doing,
    lately,
    failing,
    form,
    said,
    element("div", { class: "card-foot" }, about, element("div", { class: "row" }, redriving, pausing, removing))
  )
  return {
    element: card,
    update: ({ fleet: next, moment, samples, tally, wallMillis }) => {
      fleet = next
      const { desired, generation, parkedAt, pausedAt, spec, status } = fleet
      const isHeld = pausedAt !== null && !isLeaving()
      setAttribute(card, "data-stable", String(fleet.why === undefined))
      setAttribute(card, "data-failed", String((status?.error ?? 0) > 0 || fleet.failing !== undefined))
      setAttribute(card, "data-paused", String(isHeld))
      const lasts = unstableFor(samples, moment.untilMillis, tally?.isPart === false)
      if (isHeld) setText(why, `paused, for ${ageOf(pausedAt, wallMillis)}`)
      else
        setText(
          why,
          fleet.why === undefined ? "stable" : [fleet.why, ...(lasts === undefined ? [] : [`for ${lasts}`])].join(", ")
        )
      setText(pausing, pausedAt === null ? "Pause" : "Resume")
      setAttribute(pausing, "aria-label", `${pausedAt === null ? "Pause" : "Resume"} ${name}`)
      setHidden(redriving, parkedAt === null && (status?.parked ?? 0) === 0, card)
      for (const button of [redriving, pausing, removing]) setAttribute(button, "aria-disabled", String(isLeaving()))
      setText(running, String(status?.running ?? 0))
      setText(wanted, `of ${desired} running`)
      setText(doing, listed(fleet.doing) || "no instances")
      setText(failing, fleet.failing ?? "")
      setText(lately, tally === undefined ? "" : tallied(tally))
      setText(about, `${spec.image}, ${spec.size}, generation ${generation}`)
      const { area: under, desired: goal, max, running: line, spanMillis } = chartOf(samples, moment, plot)
      setAttribute(area, "d", under)
      setAttribute(desiredLine, "d", goal)
      setAttribute(runningLine, "d", line)
      setText(top, String(max))
      setText(
        start,
        spanMillis < windowMillis ? `first seen ${duration(spanMillis)} ago` : `${duration(spanMillis)} ago`
      )
      setAttribute(chart, "aria-label", spoken(fleet, samples))
      // What somebody has written stays until it is sent or given up.
      if (granted !== undefined && generation !== granted.generation) {
        if (drafts.get(id) === granted.count) drafts.delete(id)
        granted = undefined
      }
      if (drafts.get(id) === String(desired)) drafts.delete(id)
      if (!drafts.has(id) && count.value !== String(desired)) count.value = String(desired)
      show()
    }
  }
}

/** What has become of its instances since it was changed last. */
function tallied({ created, deleted, failed, generation, isPart }: Tally): string {
  const counts = listed({ created, failed, deleted })
  if (counts === "") return ""
  return isPart ? `since it was first seen: ${counts}` : `since generation ${generation}: ${counts}`
}

function spoken({ desired, name, status }: FleetRow, samples: ReadonlyArray<Sample>): string {
  const counts = samples.map(({ running }) => running)
  const range = counts.length === 0 ? "" : `; between ${Math.min(...counts)} and ${Math.max(...counts)} lately`
  return `${name}: ${counted(status?.running ?? 0, "instance")} running of ${desired} desired${range}`
}
