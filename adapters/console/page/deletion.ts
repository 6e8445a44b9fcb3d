/** Asks the reader whether a fleet shall go, before it is asked for: whoever means it writes its name. */
import type { FleetRow } from "../fleetRows.ts"
import { counted } from "../texts.ts"
import type { Outcome, Say } from "./api.ts"
import { found, setAttribute, setText } from "./dom.ts"

/** `remove` sends the wish. */
export const deletionIn = (
  dialog: HTMLDialogElement,
  remove: (fleet: FleetRow, say: Say) => Promise<Outcome>
): ((fleet: FleetRow) => void) => {
  const form = found("delete-form", HTMLFormElement)
  const name = found("delete-name", HTMLInputElement)
  const submit = found("delete-submit", HTMLButtonElement)
  const said = found("delete-said", HTMLElement)
  let asked: FleetRow | undefined
  const isMeant = (): boolean => name.value.trim() === asked?.name
  const show = (): void => setAttribute(submit, "aria-disabled", String(!isMeant()))
  const say = (text: string, isBad = false): void => {
    setText(said, text)
    setAttribute(said, "data-bad", String(isBad))
  }
  name.addEventListener("input", show)
  found("delete-cancel", HTMLButtonElement).addEventListener("click", () => dialog.close())
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    if (asked === undefined) return
    if (isMeant()) void send(asked)
    else say(`Write ${asked.name}, and nothing else.`, true)
  })
  const send = async (fleet: FleetRow): Promise<void> => {
    say(`asks for the end of ${fleet.name}`)
    // Whoever has given up meanwhile, and asked for another, is not spoken to.
    const isAsked = (): boolean => asked === fleet && dialog.open
    const meaning = await remove(fleet, (waiting) => isAsked() && say(waiting))
    if (!isAsked()) return
    if (meaning._tag === "Done") dialog.close()
    else say(meaning.why, true)
  }
  return (fleet) => {
    asked = fleet
    const instances = Object.values(fleet.doing).reduce((one, other) => one + other, 0)
    const end = instances === 1 ? "ends" : "end"
    const them = instances === 0 ? "It has no instances." : `Its ${counted(instances, "instance")} ${end} with it.`
    setText(found("delete-head", HTMLElement), `Delete ${fleet.name}?`)
    setText(found("delete-why", HTMLElement), `${them} This cannot be undone.`)
    setText(found("delete-label", HTMLElement), `Write ${fleet.name} to delete it`)
    name.value = ""
    say("")
    show()
    dialog.showModal()
  }
}
