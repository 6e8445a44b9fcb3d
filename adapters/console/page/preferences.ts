/** What the reader has chosen: the key for as long as this tab is open, the rest until it is chosen otherwise. */

const keyName = "stormglass-key"
const themeName = "stormglass-theme"
const singleKeysName = "stormglass-single-keys"

export const themes = ["auto", "light", "dark"] as const
export type Theme = (typeof themes)[number]

export const readKey = (): string | undefined => sessionStorage.getItem(keyName) ?? undefined

export const keepKey = (key: string | undefined): void => {
  if (key === undefined) sessionStorage.removeItem(keyName)
  else sessionStorage.setItem(keyName, key)
}

export const readTheme = (): Theme => themes.find((theme) => theme === localStorage.getItem(themeName)) ?? "auto"

export const keepTheme = (theme: Theme): void => localStorage.setItem(themeName, theme)

export const readSingleKeys = (): boolean => localStorage.getItem(singleKeysName) !== "off"

export const keepSingleKeys = (isOn: boolean): void => localStorage.setItem(singleKeysName, isOn ? "on" : "off")

/** Of the address, so that a link leads to the same project. */
export const readProject = (): string => new URLSearchParams(location.hash.slice(1)).get("project") ?? "default"

export const hashOf = (project: string): string => `#${new URLSearchParams({ project })}`

export const keepProject = (project: string): void => {
  location.hash = hashOf(project)
}
