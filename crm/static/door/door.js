// The door, as staff work it: find and check in, walk-in, what has not been sent. The list of names is in memory while it
// is open, and nowhere else but sealed.

import { keep } from './entries.js'
import * as lock from './lock.js'
import { $, chosen, clearComplaints, clearFields, clock, complain, enterPresses, fillWordings, many, show, showWaiting, ticked, typed, wrongWithReach } from './screen.js'
import * as sending from './sending.js'
import * as store from './store.js'

const SECTIONS = ['s-none', 's-lock', 's-gone', 's-list', 's-walk', 's-unsent']
const REFRESH_EVERY = 60_000
const IDLE = 15 * 60_000

let about
let names = null // [{guest, name, hint, here}], while open
let pin = null // {key, proof}, while open
let shown = 'to_come'
let last = null // the guest checked in last: stays on top, with Undo
let idle

// --- What is on the screen ------------------------------------------------------------------------------------------

function goTo(section) {
  for (const id of SECTIONS) show(id, id === section)
  show('dock-list', section === 's-list')
  show('dock-walk', section === 's-walk')
  show('back', section === 's-walk' || (section === 's-unsent'))
  show('said', false)
  $('#title').textContent = section === 's-walk' ? 'Walk-in' : (about?.eventName ?? 'The door')
  $('#subtitle').textContent = about ? (section === 's-walk' ? `${about.eventName}, ${about.when}` : `${about.when} · ${about.where}`) : ''
  scrollTo(0, 0)
}

const resting = async () => (names ? 's-list' : (await store.read('lock')) ? 's-lock' : 's-gone')

function say(words) {
  $('#said').textContent = words
  show('said')
}

function drawBar() {
  const { waiting, reached, ended, aside } = sending.state
  showWaiting(waiting)
  const bar = $('#bar')
  bar.classList.toggle('ph-bar--ok', reached && !ended && waiting === 0)
  bar.classList.toggle('ph-bar--over', ended && waiting > 0)
  const words = ended
    ? ['The door of this event is closed for this device.', waiting ? 'Save what is left as a file.' : 'Everything was sent.']
    : !reached
      ? ['No signal. Carry on.', 'All of it is kept on this device, and sent when you are back.']
      : waiting
        ? ['Sending.', 'What is kept here goes as soon as it can.']
        : ['All sent.', 'You can carry on without signal at any time.']
  $('#bar-words').replaceChildren(Object.assign(document.createElement('b'), { textContent: words[0] }), words[1])
  $('#unsent-words').textContent = waiting
    ? `${many(waiting, 'entry is', 'entries are')} kept on this device, sealed: nobody can read them here. ${ended ? 'It may not send any more, so save them as a file.' : 'They are sent by themselves when there is signal.'}`
    : 'Everything typed on this device has reached us.'
  show('aside-words', aside > 0)
  $('#aside-words').textContent = `${many(aside, 'entry', 'entries')} reached us and could not be stored as ${aside === 1 ? 'it is' : 'they are'}. Whoever runs the event sees ${aside === 1 ? 'it' : 'them'} under “Kept aside”.`
  show('clear-words', about !== undefined && !about.persisted)
  $('#send').disabled = ended || waiting === 0
  $('#save-file').disabled = waiting === 0
  show('remove', waiting === 0)
}

// --- The list -------------------------------------------------------------------------------------------------------

const plain = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').replace(/[’'`]/g, '').toLowerCase()

function drawList() {
  const wanted = plain($('#q').value).split(/\s+/).filter(Boolean)
  const here = names.filter((one) => one.here !== null).length
  const counts = { to_come: names.length - here, here, all: names.length }
  for (const button of document.querySelectorAll('[data-show]')) {
    button.querySelector('b').textContent = counts[button.dataset.show]
    button.setAttribute('aria-pressed', String(button.dataset.show === shown))
  }
  // Whoever looks for a name looks among all: the person may be here already.
  const fits = (one) => {
    if (wanted.length) return wanted.every((part) => plain(one.name).includes(part))
    return one.guest === last || shown === 'all' || (shown === 'here') === (one.here !== null)
  }
  const rows = names.filter(fits).sort((a, b) => (b.guest === last) - (a.guest === last))
  $('#rows').replaceChildren(...rows.map(row))
  show('rows', rows.length > 0)
  show('nobody', rows.length === 0)
  $('#nobody').textContent = wanted.length
    ? 'Nobody on the list is called that. Take them as a walk-in.'
    : names.length === 0
      ? 'Nobody signed up beforehand. Take everybody as a walk-in.'
      : shown === 'here'
        ? 'Nobody is here yet.'
        : 'Everybody on the list is here.'
}

function row(one) {
  const item = $('#row').content.firstElementChild.cloneNode(true)
  const [name, words, button] = [item.querySelector('b'), item.querySelector('span'), item.querySelector('button')]
  name.textContent = one.name
  if (one.here === null) {
    words.textContent = one.hint
    button.className = 'govuk-button ph-in'
    button.append('Check in')
  } else {
    item.classList.add('ph-row--here')
    words.className = 'ds-state ds-state--ok'
    words.textContent = `Here, ${clock(one.here)}`
    button.className = 'ph-undo'
    button.append('Undo')
  }
  button.append(Object.assign(document.createElement('span'), { className: 'govuk-visually-hidden', textContent: ` ${one.here === null ? '' : 'check-in for '}${one.name}` }))
  button.addEventListener('click', () => tap(one, button))
  return item
}

async function tap(one, button) {
  button.disabled = true
  const before = one.here
  try {
    // The clock of the list is ours, for the screen; the entry carries the device's own.
    one.here = before === null ? Date.now() - (about.skew ?? 0) : null
    await keep({ kind: before === null ? 'check_in' : 'undo', guest: one.guest, name: one.name }, await sealedNames())
    last = one.here === null ? null : one.guest
  } catch {
    one.here = before
    say('That was not saved: this device could not keep it. Check that it has room, and write the name on paper for now.')
  }
  $('#q').value = ''
  drawList()
  $('#q').focus({ preventScroll: true })
  await sending.count()
  sending.send()
}

async function sealedNames() {
  return { names: await lock.sealNames(names, pin.key, await store.read('deviceKey')) }
}

// The list as others have it by now. Only when nothing of ours is on its way, which the server would not know of yet.
async function refresh() {
  if (!names || sending.state.waiting || sending.state.ended || !sending.state.reached) return
  const answer = await sending.post('/kit/names', { proof: pin.proof }, about.token)
  if (!answer?.ok || !names || sending.state.waiting) return
  names = (await answer.json()).names
  await store.keep(await sealedNames())
  if (!$('#s-list').hidden && document.activeElement?.closest('#rows') === null) drawList()
}

// --- The PIN --------------------------------------------------------------------------------------------------------

async function open() {
  clearComplaints()
  const typedPin = typed('pin')
  if (!typedPin) return complain('pin', 'Type the PIN')
  $('#open').disabled = true
  try {
    const opened = await lock.unlock(typedPin)
    names = opened.names
    pin = { key: opened.key, proof: opened.proof }
    clearFields()
    goTo('s-list')
    drawList()
    refresh()
  } catch (fault) {
    if (!(fault instanceof lock.WrongPin)) throw fault
    $('#pin').value = ''
    if (fault.left === 0) return gone('After five wrong PINs it was removed. Staff can set this device up again, with signal.')
    complain('pin', `That is not the PIN. ${many(fault.left, 'more try', 'more tries')}, then the list of names is removed from here.`)
  } finally {
    $('#open').disabled = false
  }
}

function close() {
  names = pin = last = null
  clearFields()
  $('#rows').replaceChildren()
}

function gone(words) {
  close()
  $('#gone-words').textContent = words
  goTo('s-gone')
}

function touch() {
  clearTimeout(idle)
  idle = setTimeout(async () => {
    if (!names) return
    close()
    goTo(await resting())
  }, IDLE)
}

// The names go from this device when the event is over, or the device was withdrawn.
async function wipeWhenOver() {
  about = (await store.read('about')) ?? about
  const over = about && (about.ended || Date.now() - (about.skew ?? 0) > about.closesAt)
  if (!over || !(await store.read('lock'))) return
  await lock.wipe()
  gone('The door of this event is closed, so they were removed.')
}

// --- A walk-in ------------------------------------------------------------------------------------------------------

function walkIn() {
  clearFields()
  show('with', false)
  goTo('s-walk')
  const day = new Date(Date.now() - (about.skew ?? 0)).toLocaleDateString('en-CA', { timeZone: 'Europe/London' })
  const days = Object.keys(about.ringBy).sort()
  const near = days.includes(day) ? day : day < days[0] ? days[0] : days.at(-1)
  $('[data-ring-by]').textContent = about.ringBy[near]
  $('#given').focus()
}

async function save(next) {
  clearComplaints()
  const reach = typed('reach')
  const wrong = wrongWithReach(reach)
  if (wrong) complain('reach', wrong)
  if (!typed('given')) complain('given', 'Write their first name')
  if (wrong || !typed('given')) return
  const given = typed('given')
  try {
    await keep({
      kind: 'walk_in',
      given_name: given,
      family_name: typed('family'),
      reach,
      who: chosen('who'),
      partner: chosen('who') === 'couple' ? typed('partner') : '',
      interest: chosen('interest'),
      contact_times: chosen('times'),
      no_voicemail: $('#voicemail').checked,
      postcode: typed('postcode'),
      note: typed('note'),
      news: ticked(about),
      privacy: about.privacy,
    })
  } catch {
    return say('This was not saved: the device could not keep it. What you typed is still here. Check that it has room, and try again.')
  }
  if (next) walkIn()
  else {
    clearFields()
    goTo('s-list')
    drawList()
  }
  say(`${given} is saved, and sealed on this device.`)
  await sending.count()
  sending.send()
}

// --- Beginning ------------------------------------------------------------------------------------------------------

async function toKiosk() {
  close()
  await store.keep({ mode: 'kiosk' })
  location.replace('/kit/kiosk')
}

let sure = false

async function remove() {
  if (!sure) {
    sure = true
    show('remove-words')
    $('#remove-words').textContent = 'This takes the event, its names and its keys off this device. Press again if you mean it.'
    return
  }
  close()
  await store.removeAll()
  for (const name of await caches.keys()) if (name.startsWith('door-')) await caches.delete(name)
  await (await navigator.serviceWorker?.getRegistration('/kit/'))?.unregister()
  location.reload()
}

async function begin() {
  about = await store.read('about')
  if (!about) return goTo('s-none')
  if ((await store.read('mode')) === 'kiosk') return location.replace('/kit/kiosk')
  navigator.serviceWorker?.register('/kit/worker.js', { scope: '/kit/' }).catch(() => {})
  if (!about.persisted && (await navigator.storage?.persist?.())) {
    about.persisted = true
    await store.keep({ about })
  }
  fillWordings(about)
  show('bar')
  goTo(await resting())
  if (!$('#s-gone').hidden) $('#gone-words').textContent = 'It was removed after five wrong PINs, or because the door closed.'
  sending.news.addEventListener('change', drawBar)
  await wipeWhenOver()
  setInterval(wipeWhenOver, REFRESH_EVERY)
  setInterval(refresh, REFRESH_EVERY)
  await sending.begin()
}

enterPresses()
$('#open').addEventListener('click', open)
$('#q').addEventListener('input', drawList)
$('#walk-in').addEventListener('click', walkIn)
$('#save').addEventListener('click', () => save(true))
$('#save-done').addEventListener('click', () => save(false))
$('#unsent').addEventListener('click', () => {
  goTo('s-unsent')
  $('#main').focus()
})
$('#send').addEventListener('click', () => sending.send())
$('#save-file').addEventListener('click', async () => {
  const count = await sending.asFile(about)
  say(`${many(count, 'entry', 'entries')} saved as a file. They stay here too, until we say that we have them.`)
})
$('#remove').addEventListener('click', remove)
$('#back').addEventListener('click', async () => {
  if (!$('#s-walk').hidden) clearFields()
  goTo(await resting())
  if (names) drawList()
})
for (const button of document.querySelectorAll('[data-kiosk]')) button.addEventListener('click', toKiosk)
for (const button of document.querySelectorAll('[data-show]')) {
  button.addEventListener('click', () => {
    shown = button.dataset.show
    last = null
    drawList()
  })
}
for (const choice of document.querySelectorAll('input[name="who"]')) {
  choice.addEventListener('change', () => show('with', chosen('who') === 'couple'))
}
for (const kind of ['pointerdown', 'keydown']) document.addEventListener(kind, touch)
// A page taken out of the browser's own keeping would show what was open when it was left.
addEventListener('pagehide', close)
addEventListener('pageshow', (event) => event.persisted && location.reload())
begin()
