/** Asks what a new fleet shall be, tries it or makes it, and says of each field what is wrong with it. */
import type { Outcome, Say } from "./api.ts"
import { found, setAttribute, setText } from "./dom.ts"

const fields = ["name", "image", "size", "desired"] as const
type Field = (typeof fields)[number]

/** As it was written. */
export interface Written extends Readonly<Record<Field, string>> {
  /** Only whether it could be made is asked. */
  readonly isDryRun: boolean
}

/** `create` sends the wish; `onCreated` is told the name. Returns how to ask. */
export const creationIn = (
  dialog: HTMLDialogElement,
  create: (written: Written, say: Say) => Promise<Outcome>,
  onCreated: (name: string) => void
): (() => void) => {
  const form = found("create-form", HTMLFormElement)
  const said = found("create-said", HTMLElement)
  const input = (field: Field): HTMLInputElement | HTMLSelectElement =>
    form.elements.namedItem(field) as HTMLInputElement | HTMLSelectElement
  const say = (text: string, isBad = false): void => {
    setText(said, text)
    setAttribute(said, "data-bad", String(isBad))
  }
  /** The first of them gets the focus. */
  const showFaults = (faults: Readonly<Record<string, string>>): void => {
    for (const field of fields) {
      setText(found(`create-${field}-fault`, HTMLElement), faults[field] ?? "")
      setAttribute(input(field), "aria-invalid", String(faults[field] !== undefined))
    }
    const first = fields.find((field) => faults[field] !== undefined)
    if (first !== undefined) input(first).focus()
  }
  let nth = 0
  const send = async (isDryRun: boolean): Promise<void> => {
    const written = { ...(Object.fromEntries(new FormData(form)) as Record<Field, string>), isDryRun }
    const { name } = written
    // All that can be told without the node, in one line at each field; the browser says only what is wrong with the first.
    const faults = Object.fromEntries(
      fields.filter((field) => !input(field).validity.valid).map((field) => [field, `expected: ${input(field).title}`])
    )
    showFaults(faults)
    if (Object.keys(faults).length > 0) return say("")
    const mine = ++nth
    const isAsked = (): boolean => mine === nth && dialog.open
    say(isDryRun ? "asks whether it could be made" : `asks for ${name}`)
    const meaning = await create(written, (waiting) => isAsked() && say(waiting))
    if (meaning._tag === "Done" && !isDryRun) onCreated(name)
    if (!isAsked()) return
    if (meaning._tag === "Done") {
      if (isDryRun) return say("It can be made like this.")
      form.reset()
      return dialog.close()
    }
    if (meaning._tag !== "Refused") return say(meaning.why, true)
    // Where it is there already, that is wrong with its name.
    const refused: Readonly<Record<string, string>> =
      meaning.status === 412 ? { name: `${name} is there already` } : meaning.fields
    showFaults(refused)
    say(fields.some((field) => refused[field] !== undefined) ? "" : meaning.why, true)
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    void send(false)
  })
  found("create-check", HTMLButtonElement).addEventListener("click", () => void send(true))
  found("create-cancel", HTMLButtonElement).addEventListener("click", () => dialog.close())
  // What was written is still there for who asks again.
  return () => {
    showFaults({})
    say("")
    dialog.showModal()
  }
}
