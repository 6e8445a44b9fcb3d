/** Shortcuts: single keys, where nobody writes, unless the reader has turned them off. Everything can be reached by Tab without them. */
import { element } from "./dom.ts"

export interface Shortcut {
  readonly key: string
  readonly what: string
  readonly act: () => void
}

export const listen = (shortcuts: ReadonlyArray<Shortcut>, isOn: () => boolean): void => {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !isOn()) return
    if (document.querySelector("dialog[open]") !== null || isWriting(event.target)) return
    const shortcut = shortcuts.find(({ key }) => key === event.key)
    if (shortcut === undefined) return
    event.preventDefault()
    shortcut.act()
  })
}

function isWriting(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input:not([type=checkbox]), select, textarea"))
  )
}

export const describe = (shortcuts: ReadonlyArray<Pick<Shortcut, "key" | "what">>, list: HTMLElement): void => {
  for (const { key, what } of shortcuts) {
    list.append(element("dt", {}, element("kbd", {}, key)), element("dd", {}, what))
  }
}
