/** What the page knows of the control plane: the documents that the watch streams tell. */
import type { FleetView, InstanceView, AgentView, LeaseView, MemberView } from "../../core/api/Views.ts"

/** What each kind of event tells. */
export interface Documents {
  readonly fleet: Omit<FleetView, "status">
  readonly "fleet-status": NonNullable<FleetView["status"]>
  readonly instance: InstanceView
  readonly member: typeof MemberView.Type
  readonly lease: typeof LeaseView.Type
  readonly agent: typeof AgentView.Type
}
export type Kind = keyof Documents

export interface Told<K extends Kind> {
  readonly document: Documents[K]
  /** When this state of it was told, by the reader's clock; undefined when it was there before: in a listing. */
  readonly sinceMillis: number | undefined
}

/** By id, of each kind. */
export type Tables = { readonly [K in Kind]: ReadonlyMap<string, Told<K>> }
