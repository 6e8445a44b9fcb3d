/** What a node does: `api` serves requests, sessions and streams; `worker` may lead, and works on its share of the buckets. */
export type Role = "api" | "worker"

export const roles: ReadonlyArray<Role> = ["api", "worker"]
