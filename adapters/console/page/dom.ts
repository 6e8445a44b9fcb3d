/** Elements, and lists of them that keep what is already there, so that focus and selection stay where they are. */

type Attributes = Readonly<Record<string, string>>
type Child = Node | string

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

export function drawing<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Node>
): SVGElementTagNameMap[K] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** Of the page's own markup. */
export function found<T extends Element>(id: string, type: abstract new () => T): T {
  const it = document.getElementById(id)
  if (!(it instanceof type)) throw new Error(`the page has no ${type.name} #${id}`)
  return it
}

/** Writes only what differs: selections and screen readers notice every write. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

export function setAttribute(it: Element, name: string, value: string): void {
  if (it.getAttribute(name) !== value) it.setAttribute(name, value)
}

/** Who was at what is hidden is at `near` then. */
export function setHidden(it: HTMLElement, isHidden: boolean, near: HTMLElement): void {
  if (it.hidden === isHidden) return
  if (isHidden && it.contains(document.activeElement)) near.focus()
  it.hidden = isHidden
}

export interface Row<A> {
  readonly element: HTMLElement
  readonly update: (item: A) => void
}

/** Returns how to show other items in `parent`, each in the row that it already has. */
export function keyed<A>(
  parent: HTMLElement,
  keyOf: (item: A) => string,
  create: (item: A) => Row<A>
): (items: ReadonlyArray<A>) => void {
  let rows = new Map<string, Row<A>>()
  return (items) => {
    const next = new Map<string, Row<A>>()
    for (const item of items) next.set(keyOf(item), rows.get(keyOf(item)) ?? create(item))
    for (const [key, { element }] of rows) {
      if (next.has(key)) continue
      // Who was at what goes away stays near.
      const isHere = element.contains(document.activeElement)
      element.remove()
      if (isHere) parent.closest("section")?.focus()
    }
    rows = next
    let place: Element | null = parent.firstElementChild
    for (const item of items) {
      const row = rows.get(keyOf(item))!
      if (row.element === place) place = place.nextElementSibling
      else parent.insertBefore(row.element, place)
      row.update(item)
    }
  }
}

/** A row of a table, of so many cells. */
export function tableRow<A>(
  cellsOf: (item: A) => ReadonlyArray<string>,
  decorate: (row: HTMLElement, item: A) => void = () => undefined,
  classes: ReadonlyArray<string> = []
): (item: A) => Row<A> {
  return (first) => {
    const cells = cellsOf(first).map((_, index) => element("td", { class: classes[index] ?? "" }))
    const row = element("tr", {}, ...cells)
    return {
      element: row,
      update: (item) => {
        for (const [index, text] of cellsOf(item).entries()) setText(cells[index]!, text)
        decorate(row, item)
      }
    }
  }
}
