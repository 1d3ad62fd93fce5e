// What an officer's phone keeps of visits: for each the key and the token it sends with, and what was not sent yet, sealed.
// When a visit is, is all that it says of it.

import { storeNamed } from '../kept/store.js'

export const { read, keep, keys, nextNumber, keepEntry, oldest, waiting, letGo } = storeNamed('doorstep-visit')

// What this phone sends with for a visit; undefined where it was not made ready, or its time is over.
export async function aboutVisit(visit) {
  const device = await read(`visit:${visit}`)
  const about = device && (await read(`phone:${device}`))
  return about && !about.ended ? about : undefined
}

export const keepAbout = (about) => keep({ [`phone:${about.device}`]: about, [`visit:${about.visit}`]: about.device })

// Whether somebody checked in or out on this phone last, so that it does not ask for it again.
export const went = (visit) => read(`went:${visit}`)
export const keepWent = (visit, way) => keep({ [`went:${visit}`]: way })

// Every visit this phone may still send to, the next first.
export async function visits() {
  const found = []
  for (const key of await keys()) {
    const about = key.startsWith('visit:') && (await aboutVisit(Number(key.slice(6))))
    if (about) found.push(about)
  }
  return found.sort((a, b) => a.starts - b.starts)
}
