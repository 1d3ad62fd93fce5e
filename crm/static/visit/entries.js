// Saying something on a visit: numbered, sealed, signed, and kept on the phone, before anybody is told that it is.

import { newSigningKey, publicHalf, seal, VISIT } from '../kept/sealing.js'
import * as store from './store.js'

const PATIENCE = 15_000

export const canSeal = () => Boolean(isSecureContext && crypto.subtle && 'indexedDB' in window && navigator.locks)

export async function keep(said, about) {
  const at = Date.now()
  const entry = await seal(said, VISIT, {
    about: about.visit,
    device: about.device,
    publicKey: about.publicKey,
    signing: await store.read('signing'),
    number: await store.nextNumber(),
    at,
  })
  await store.keepEntry(entry)
  if (said.do === 'in' || said.do === 'out') await store.keepWent(about.visit, said.do)
  return at
}

// With signal and signed in: from then on this phone can say things of the visit by itself.
export async function makeReady(visit, user, formToken) {
  const known = await store.aboutVisit(visit)
  if (known && known.user === user) return known
  const signing = (await store.read('signing')) ?? (await newSigningKey())
  await store.keep({ signing })
  const body = new FormData()
  body.set('csrf_token', formToken)
  body.set('signing_key', await publicHalf(signing))
  body.set('clock', Date.now())
  const answer = await fetch(`/visits/${visit}/phone`, { method: 'POST', body, headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(PATIENCE) }).catch(() => null)
  if (answer?.status !== 201) return undefined
  const given = await answer.json()
  const about = { ...given, user, skew: Date.now() - given.now }
  await store.keepAbout(about)
  navigator.storage?.persist?.()
  return about
}

export async function digest(text) {
  const found = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text.replaceAll('\r\n', '\n')))
  return Array.from(new Uint8Array(found), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
