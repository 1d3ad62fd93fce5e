// Sealing what is typed to a public key of the server's, and signing it with the key of this device. The page can seal
// and can't open: the other half is on the server. crm/access/envelopes.py is the other end of this, and of the kinds.

const VERSION = 1
export const DOOR = { mark: 'doorstep-door', about: 'event' }
export const VISIT = { mark: 'doorstep-visit', about: 'visit' }
const CURVE = { namedCurve: 'P-256' }
// A sealed text is as long as what is in it. Filled up to steps of this many characters, it tells less.
const STEP = 512

const bytes = (text) => new TextEncoder().encode(text)
// One letter at a time: a long text is more than a function takes as arguments.
const toBase64 = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(''))
const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))

// The private half can be used by this page and copied out by nobody's script, ours included.
export const newSigningKey = () => crypto.subtle.generateKey({ name: 'ECDSA', ...CURVE }, false, ['sign', 'verify'])

export const publicHalf = async (pair) => toBase64(await crypto.subtle.exportKey('raw', pair.publicKey))

// `about` is the number of what the entry is about: of the event, of the visit.
export async function seal(said, kind, { about, device, publicKey, signing, number, at }) {
  const entry = { v: VERSION, [kind.about]: about, device, id: crypto.randomUUID(), n: number, at }
  const label = [`${kind.mark}-${VERSION}`, about, device, entry.id, number, at].join('|')
  const recipientPoint = fromBase64(publicKey)
  const recipient = await crypto.subtle.importKey('raw', recipientPoint, { name: 'ECDH', ...CURVE }, false, [])
  const once = await crypto.subtle.generateKey({ name: 'ECDH', ...CURVE }, false, ['deriveBits'])
  const point = new Uint8Array(await crypto.subtle.exportKey('raw', once.publicKey))
  const shared = await crypto.subtle.deriveBits({ name: 'ECDH', public: recipient }, once.privateKey, 256)
  const key = await crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array([...point, ...recipientPoint]), info: bytes(`${kind.mark.replaceAll('-', ' ')} entry ${VERSION}`) },
    await crypto.subtle.importKey('raw', shared, 'HKDF', false, ['deriveKey']),
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt'],
  )
  const nonce = crypto.getRandomValues(new Uint8Array(12))
  const text = JSON.stringify(said)
  const filled = bytes(text.padEnd(Math.ceil(text.length / STEP) * STEP))
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce, additionalData: bytes(label) }, key, filled)
  entry.key = toBase64(point)
  entry.nonce = toBase64(nonce)
  entry.sealed = toBase64(sealed)
  const signed = bytes([label, entry.key, entry.nonce, entry.sealed].join('|'))
  entry.signature = toBase64(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, signing.privateKey, signed))
  return entry
}
