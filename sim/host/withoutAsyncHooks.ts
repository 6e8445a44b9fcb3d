/**
 * Hides `node:async_hooks` from Effect, which would make an AsyncResource at every suspension of a fiber. Nothing in a
 * simulation follows asynchronous contexts of the host. Import it before anything that imports Effect.
 */
const { getBuiltinModule } = process

process.getBuiltinModule = ((id: string) =>
  id === "node:async_hooks" ? undefined : getBuiltinModule(id)) as typeof process.getBuiltinModule
