// Getting what is kept here to the server: on load, when the network comes back, by button, and every so often. An entry
// is let go when the server names it as stored, never before. Whatever goes wrong on the way, it stays.

import * as store from './store.js'

const AT_ONCE = 25
const LOOK_EVERY = 60_000
const FIRST_WAIT = 4_000
const LONGEST_WAIT = 60_000
const PATIENCE = 20_000
const LOCK_NAME = 'doorstep-sending'

export const news = new EventTarget()
export const state = { waiting: 0, reached: navigator.onLine, ended: false, aside: 0, sending: false }

let timer
let wait = FIRST_WAIT

function tell(changes = {}) {
  Object.assign(state, changes)
  news.dispatchEvent(new Event('change'))
}

export async function count() {
  tell({ waiting: await store.waiting() })
}

function later(milliseconds) {
  clearTimeout(timer)
  timer = setTimeout(send, milliseconds)
}

// One at a time over all tabs: the server would sort out two, but the second would learn nothing.
export async function send() {
  clearTimeout(timer)
  await navigator.locks.request(LOCK_NAME, { ifAvailable: true }, async (mine) => {
    if (!mine) return later(FIRST_WAIT)
    tell({ sending: true })
    try {
      await sendAll()
    } finally {
      tell({ sending: false, waiting: await store.waiting() })
    }
  })
}

async function sendAll() {
  for (;;) {
    const about = await store.read('about')
    if (!about || about.ended) return tell({ ended: Boolean(about?.ended) })
    const entries = await store.oldest(AT_ONCE)
    const answer = await post('/kit/entries', { clock: Date.now(), waiting: await store.waiting(), entries }, about.token)
    if (answer === null || answer.status === 429 || answer.status >= 500) {
      const asked = Number(answer?.headers.get('Retry-After')) * 1000 || 0
      later(Math.max(asked, wait * (0.75 + Math.random() / 2)))
      wait = Math.min(wait * 2, LONGEST_WAIT)
      return tell({ reached: false })
    }
    if (answer.status === 401) {
      await store.keep({ about: { ...about, ended: true } })
      return tell({ reached: true, ended: true })
    }
    const said = answer.ok ? await answer.json().catch(() => null) : null
    if (said === null) return later(LONGEST_WAIT)
    wait = FIRST_WAIT
    await store.letGo(entries, said.taken.map((one) => one.id))
    await store.keep({ about: { ...about, closesAt: said.closesAt, skew: Date.now() - said.now } })
    const aside = said.taken.filter((one) => one.state === 'aside').length
    tell({ reached: true, aside: state.aside + aside, waiting: await store.waiting() })
    if (entries.length < AT_ONCE || said.taken.length === 0) return later(LOOK_EVERY)
  }
}

export async function post(address, body, token) {
  try {
    return await fetch(address, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Kit ${token}` },
      body: JSON.stringify(body),
      credentials: 'omit',
      cache: 'no-store',
      signal: AbortSignal.timeout(PATIENCE),
    })
  } catch {
    return null
  }
}

export async function begin() {
  await count()
  addEventListener('online', () => {
    wait = FIRST_WAIT
    send()
  })
  addEventListener('offline', () => tell({ reached: false }))
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && send())
  await send()
}

// The file to carry by hand: the sealed entries as they are. They stay here too, until the server says that it has them.
export async function asFile(about) {
  const entries = await store.oldest()
  const text = JSON.stringify({ doorstep: 'doorstep door entries', v: 1, event: about.event, device: about.device, entries })
  const name = `${about.eventName} ${about.deviceName}`.toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 60)
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  link.download = `${name}.door.json`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  return entries.length
}
