// Getting what the door keeps to the server, or into a file.

import { AT_ONCE, sender } from '../kept/sending.js'
import * as store from './store.js'

async function next() {
  const about = await store.read('about')
  return about && !about.ended ? { about, entries: await store.oldest(AT_ONCE) } : { ended: Boolean(about?.ended) }
}

export const { news, state, count, send, post, begin } = sender({
  store,
  lock: 'doorstep-sending',
  address: '/kit/entries',
  scheme: 'Kit',
  next,
  keepAbout: (about) => store.keep({ about }),
})

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
