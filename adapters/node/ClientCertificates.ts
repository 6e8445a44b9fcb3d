/**
 * Certificates of clients as credentials (mutual TLS): whoever shows one that an authority of ours has signed, and no other credential, is
 * `cert:<common name>`, and may do what agents do.
 *
 * The server's side of TLS has judged the certificate by then. What it found goes on as a token that only this process can have made, so that
 * whatever stands behind the gate knows one kind of credential; nobody who sends such a token himself can know its secret part.
 */
import crypto from "node:crypto"
import type { IncomingMessage } from "node:http"
import { TLSSocket } from "node:tls"
import * as Effect from "effect/Effect"
import { everyProject } from "../../core/identity/Access.ts"
import type { Verifier } from "../../core/identity/Credentials.ts"
import { principalCharsMax } from "../../core/Limits.ts"

export interface ClientCertificates {
  /** Gives a request that shows a certificate, and nothing else, its token. */
  readonly vouch: (request: IncomingMessage) => void
  /** Knows the tokens that were given. */
  readonly verifier: Verifier
}

export const make = (secret = crypto.randomBytes(32).toString("hex")): ClientCertificates => {
  const prefix = `cert.${secret}.`
  return {
    vouch: (request) => {
      const name = commonNameOf(request)
      if (name !== undefined && request.headers.authorization === undefined) {
        request.headers.authorization = `Bearer ${prefix}${encodeURIComponent(name)}`
      }
    },
    verifier: (token) => {
      if (!token.startsWith(prefix)) return Effect.succeed(undefined)
      const name = `cert:${token.slice(prefix.length)}`
      return Effect.succeed({ name, keyId: null, verbs: ["agent"], projects: [everyProject] })
    }
  }
}

function commonNameOf({ socket }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const name: unknown = socket.getPeerCertificate().subject?.CN
  // Of several names none is the name.
  return typeof name === "string" && name !== "" && encodeURIComponent(name).length < principalCharsMax - 5
    ? name
    : undefined
}
