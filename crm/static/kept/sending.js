// Getting what is kept here to the server: on load, when the network comes back, by button, and every so often. An entry
// is let go when the server names it as stored, never before. Whatever goes wrong on the way, it stays.

export const AT_ONCE = 25
const LETTERS_AT_ONCE = 600_000
const LOOK_EVERY = 60_000
const FIRST_WAIT = 4_000
const LONGEST_WAIT = 60_000
const PATIENCE = 20_000

// As many of these as go in one message: one, however long, and more while they are short.
export function atOnce(entries) {
  let letters = 0
  return entries.slice(0, AT_ONCE).filter(({ sealed }, n) => (letters += sealed.length) <= LETTERS_AT_ONCE || n === 0)
}

// `next` gives what is to be sent with whose token, oldest first: {about, entries}, or {ended} where nothing may be.
// `keepAbout` keeps what was learnt of it, with the whole answer.
export function sender({ store, lock, address, scheme, next, keepAbout }) {
  const news = new EventTarget()
  const state = { waiting: 0, reached: navigator.onLine, ended: false, aside: 0, sending: false }

  let timer
  let wait = FIRST_WAIT

  function tell(changes = {}) {
    Object.assign(state, changes)
    news.dispatchEvent(new Event('change'))
  }

  async function count() {
    tell({ waiting: await store.waiting() })
  }

  function later(milliseconds) {
    clearTimeout(timer)
    timer = setTimeout(send, milliseconds)
  }

  // Whoever asks while it is being sent waits for that, and then for what came meanwhile.
  let going
  let following
  function send() {
    if (!going) return (going = sendNow().finally(() => (going = undefined)))
    following ??= going
      .catch(() => {})
      .then(() => {
        following = undefined
        return send()
      })
    return following
  }

  // One at a time over all tabs: the server would sort out two, but the second would learn nothing.
  async function sendNow() {
    clearTimeout(timer)
    await navigator.locks.request(lock, { ifAvailable: true }, async (mine) => {
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
      const { about, entries, ended } = await next()
      if (!about) return tell({ ended })
      const answer = await post(address, { clock: Date.now(), waiting: await store.waiting(), entries }, about.token)
      if (answer === null || answer.status === 429 || answer.status >= 500) {
        const asked = Number(answer?.headers.get('Retry-After')) * 1000 || 0
        later(Math.max(asked, wait * (0.75 + Math.random() / 2)))
        wait = Math.min(wait * 2, LONGEST_WAIT)
        return tell({ reached: false })
      }
      if (answer.status === 401) {
        await keepAbout({ ...about, ended: true })
        tell({ reached: true, ended: true })
        continue
      }
      const said = answer.ok ? await answer.json().catch(() => null) : null
      if (said === null) return later(LONGEST_WAIT)
      wait = FIRST_WAIT
      await store.letGo(entries, said.taken.map((one) => one.id))
      await keepAbout({ ...about, closesAt: said.closesAt, skew: Date.now() - said.now }, said)
      const aside = said.taken.filter((one) => one.state === 'aside').length
      tell({ reached: true, aside: state.aside + aside, waiting: await store.waiting() })
      if (said.taken.length === 0 || state.waiting === 0) return later(LOOK_EVERY)
    }
  }

  async function post(where, body, token) {
    try {
      return await fetch(where, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `${scheme} ${token}` },
        body: JSON.stringify(body),
        credentials: 'omit',
        cache: 'no-store',
        signal: AbortSignal.timeout(PATIENCE),
      })
    } catch {
      return null
    }
  }

  async function begin() {
    await count()
    addEventListener('online', () => {
      wait = FIRST_WAIT
      send()
    })
    addEventListener('offline', () => tell({ reached: false }))
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && send())
    await send()
  }

  return { news, state, count, send, post, begin }
}
