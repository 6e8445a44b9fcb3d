/**
 * A fleet as a card: what is wanted and what runs, now and over the last minutes, why they differ, how many are wanted from now on, and whether
 * it is left as it is, or goes.
 */
import { type Moment, type Sample, chartOf, unstableSinceMillis } from "../fleetHistory.ts"
import type { FleetRow } from "../fleetRows.ts"
import { ageOf, counted, duration, listed } from "../texts.ts"
import type { Outcome } from "./api.ts"
import { drawing, element, keyed, type Row, setAttribute, setText } from "./dom.ts"

export interface Card {
  readonly fleet: FleetRow
  readonly samples: ReadonlyArray<Sample>
  readonly moment: Moment
  readonly wallMillis: number
}

/** Each sends the wish; what came of it, for people. */
export interface Wishes {
  readonly scale: (fleet: FleetRow, desired: number) => Promise<Outcome>
  readonly pause: (fleet: FleetRow, isPaused: boolean) => Promise<Outcome>
  /** Asks the reader first. */
  readonly remove: (fleet: FleetRow) => void
}

const plot = { width: 300, height: 64 }

export const cardsIn = (list: HTMLElement, wishes: Wishes): ((cards: ReadonlyArray<Card>) => void) =>
  keyed(
    list,
    ({ fleet }) => fleet.id,
    (card) => cardOf(card, wishes)
  )

function cardOf({ fleet: first }: Card, { pause, remove, scale }: Wishes): Row<Card> {
  const { name } = first
  let fleet = first
  const head = `fleet-${name}`
  const why = element("p", { class: "why" })
  const about = element("p", { class: "about" })
  const running = element("b")
  const wanted = element("span")
  const doing = element("p", { class: "about" })
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
    required: "",
    value: String(first.desired),
    "aria-label": `Desired instances of ${name}`
  })
  const submit = element("button", { type: "submit", "aria-label": `Scale ${name}` }, "Scale")
  const said = element("p", { class: "said", role: "status" })
  const step = (by: 1 | -1) => {
    const label = by === 1 ? `One more of ${name}` : `One less of ${name}`
    const button = element("button", { type: "button", class: "step", "aria-label": label }, by === 1 ? "+" : "−")
    button.addEventListener("click", () => {
      count.value = String(Math.min(1_000, Math.max(0, (count.valueAsNumber || 0) + by)))
      show()
    })
    return button
  }
  const form = element("form", { class: "scaling" }, step(-1), count, step(1), submit)
  /** Which count the field showed before anybody wrote in it. */
  let offered = first.desired
  const show = (): void => {
    // Not disabled, which would take the focus from whoever has just pressed it.
    setAttribute(submit, "aria-disabled", String(isLeaving() || count.valueAsNumber === fleet.desired))
  }
  const isLeaving = (): boolean => fleet.deletionRequestedAt !== null
  count.addEventListener("input", show)
  count.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return
    count.value = String(fleet.desired)
    offered = fleet.desired
    show()
    card.focus()
  })
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    const desired = count.valueAsNumber
    if (isLeaving() || desired === fleet.desired) return
    void ask(`asks for ${desired}`, scale(fleet, desired), `${desired} wanted`)
  })
  const pausing = element("button", { type: "button", class: "pause" })
  pausing.addEventListener("click", () => {
    if (isLeaving()) return
    const isPaused = fleet.pausedAt === null
    void ask(isPaused ? "asks for a pause" : "resumes it", pause(fleet, isPaused), isPaused ? "paused" : "resumed")
  })
  const removing = element(
    "button",
    { type: "button", class: "remove", "aria-haspopup": "dialog", "aria-label": `Delete ${name}` },
    "Delete…"
  )
  removing.addEventListener("click", () => {
    if (!isLeaving()) remove(fleet)
  })
  const ask = async (asking: string, outcome: Promise<Outcome>, done: string): Promise<void> => {
    say(asking)
    const meaning = await outcome
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
    form,
    said,
    element("div", { class: "card-foot" }, about, element("div", { class: "row" }, pausing, removing))
  )
  return {
    element: card,
    update: ({ fleet: next, moment, samples, wallMillis }) => {
      fleet = next
      const { desired, generation, pausedAt, spec, status } = fleet
      const isHeld = pausedAt !== null && !isLeaving()
      setAttribute(card, "data-stable", String(fleet.why === undefined))
      setAttribute(card, "data-failed", String((status?.error ?? 0) > 0))
      setAttribute(card, "data-paused", String(isHeld))
      const since = unstableSinceMillis(samples)
      const lasts = since === undefined ? "" : `, for ${duration(moment.untilMillis - since)}`
      if (isHeld) setText(why, `paused, for ${ageOf(pausedAt, wallMillis)}`)
      else setText(why, fleet.why === undefined ? "stable" : `${fleet.why}${lasts}`)
      setText(pausing, pausedAt === null ? "Pause" : "Resume")
      setAttribute(pausing, "aria-label", `${pausedAt === null ? "Pause" : "Resume"} ${name}`)
      for (const button of [pausing, removing]) setAttribute(button, "aria-disabled", String(isLeaving()))
      setText(running, String(status?.running ?? 0))
      setText(wanted, `of ${desired} running`)
      setText(doing, listed(fleet.doing) || "no instances")
      setText(about, `${spec.image}, ${spec.size}, generation ${generation}`)
      const { area: under, desired: goal, max, running: line, spanMillis } = chartOf(samples, moment, plot)
      setAttribute(area, "d", under)
      setAttribute(desiredLine, "d", goal)
      setAttribute(runningLine, "d", line)
      setText(top, String(max))
      setText(start, `${duration(spanMillis)} ago`)
      setAttribute(chart, "aria-label", spoken(fleet, samples))
      // What somebody has written stays until it is sent or given up.
      if (count.valueAsNumber === offered) count.value = String(desired)
      offered = desired
      show()
    }
  }
}

function spoken({ desired, name, status }: FleetRow, samples: ReadonlyArray<Sample>): string {
  const counts = samples.map(({ running }) => running)
  const range = counts.length === 0 ? "" : `; between ${Math.min(...counts)} and ${Math.max(...counts)} lately`
  return `${name}: ${counted(status?.running ?? 0, "instance")} running of ${desired} desired${range}`
}
