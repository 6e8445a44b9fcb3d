/** What a cluster consists of, and the numbers of which there is none. */
import { assert, describe, it } from "vitest"
import { type ClusterOptions, planCluster } from "./planCluster.ts"
import { targetOf, throughProxy } from "./superviseCluster.ts"

const options: ClusterOptions = {
  nodes: 2,
  agents: 1,
  port: 9_000,
  directory: "/c",
  profile: "conservative",
  command: "sleep 10"
}

const refusal = (body: () => unknown): string => {
  try {
    body()
  } catch (error) {
    return (error as Error).message
  }
  return "accepted"
}

describe("the plan of a cluster", () => {
  // covers A30
  it("gives each process a directory, each node a port, and each agent every node", () => {
    assert.deepEqual(
      planCluster(options).map(({ address, directory, log, name }) => [name, directory, log, address]),
      [
        ["n1", "/c/n1", "/c/logs/n1.log", "http://127.0.0.1:9000"],
        ["n2", "/c/n2", "/c/logs/n2.log", "http://127.0.0.1:9001"],
        ["a1", "/c/a1", "/c/logs/a1.log", null]
      ]
    )
    const agent = planCluster(options)[2]!.parameters.join(" ")
    assert.include(agent, "--server http://127.0.0.1:9000,http://127.0.0.1:9001")
  })

  it.each<readonly [Partial<ClusterOptions>, says: string]>([
    [{ nodes: 0 }, "--nodes: 0 is not between 1 and 9"],
    [{ nodes: 10 }, "--nodes: 10 is not between 1 and 9"],
    [{ agents: -1 }, "--agents: -1 is not between 0 and 9"],
    [{ port: 0 }, "--port: 0 is not between 1 and 65534"],
    [{ port: 65_535 }, "--port: 65535 is not between 1 and 65534"],
    [{ port: 65_534, agents: 0 }, "accepted"]
  ])("%o: %s", (changes, says) => {
    assert.equal(
      refusal(() => planCluster({ ...options, ...changes })),
      says
    )
  })
})

describe("the database behind a proxy", () => {
  it("is the same one, as the same role", () => {
    const url = "postgres://me:p%40ss@db.example:6000/things?application_name=x"
    assert.deepEqual(targetOf(url), { host: "db.example", port: 6_000 })
    assert.equal(throughProxy(url, 7), "postgres://me:p%40ss@127.0.0.1:7/things?application_name=x")
  })

  it.each([
    ["postgres://me@[::1]/things", { host: "::1", port: 5_432 }],
    ["postgresql://db/things", { host: "db", port: 5_432 }]
  ])("%s has a host and a port", (url, target) => {
    assert.deepEqual(targetOf(url), target)
  })

  it.each(["mysql://db/things", "db", "postgres:///things", "postgres://db/things?host=/run/postgresql"])(
    "%s is refused",
    (url) => {
      assert.match(
        refusal(() => targetOf(url)),
        /^DATABASE_URL: n/
      )
    }
  )
})
