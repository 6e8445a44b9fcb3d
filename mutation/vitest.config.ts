/** The tests of decisions that a planted mistake is shown to: those that are quick, and ask no server. */
import { defineConfig } from "vitest/config"

process.env.TZ = "UTC"

export default defineConfig({
  resolve: { conditions: ["stormglass-source"] },
  ssr: { resolve: { conditions: ["stormglass-source"] } },
  test: {
    include: [
      "core/{bucket,fleet,hash,heartbeat,idempotency,instance,json,lease,member,reconcile,storage}/*.test.ts",
      "adapters/postgres/Sql.test.ts"
    ],
    setupFiles: ["./scenarios/propertySeed.ts"]
  }
})
