// Getting to the server what was said on a visit, visit by visit.

import { atOnce, sender } from '../kept/sending.js'
import * as store from './store.js'

export const answers = new EventTarget()

async function next() {
  const queue = await store.oldest()
  for (const { device } of queue) {
    const about = await store.read(`phone:${device}`)
    if (about && !about.ended) return { about, entries: atOnce(queue.filter((one) => one.device === device)) }
  }
  return { ended: queue.length > 0 }
}

async function keepAbout(about, said) {
  await store.keep({ [`phone:${about.device}`]: about })
  if (said) answers.dispatchEvent(new CustomEvent('answer', { detail: { visit: about.visit, ...said } }))
}

export const { news, state, count, send, begin } = sender({
  store,
  lock: 'doorstep-visit-sending',
  address: '/visit-kit/entries',
  scheme: 'Visit',
  next,
  keepAbout,
})
