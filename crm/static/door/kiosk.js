// The kiosk: visitors sign themselves in. It knows no names and can only add; it clears itself; leaving it needs the PIN.

import { keep } from './entries.js'
import * as lock from './lock.js'
import { $, chosen, clearComplaints, clearFields, complain, enterPresses, fillWordings, many, show, showWaiting, ticked, typed, wrongWithReach } from './screen.js'
import * as sending from './sending.js'
import * as store from './store.js'

const IDLE = 60_000
const THANKS = 8_000
const SECTIONS = ['s-form', 's-thanks', 's-leave', 's-none']

let about
let idle

function goTo(section, heading, words) {
  clearFields()
  for (const id of SECTIONS) show(id, id === section)
  $('#hello').textContent = heading
  $('#hello-words').textContent = words
  scrollTo(0, 0)
}

function welcome() {
  goTo('s-form', 'Hello. Come on in', `Tell us who you are${about ? `, for ${about.eventName}` : ''}.`)
  wait(IDLE)
}

function wait(milliseconds) {
  clearTimeout(idle)
  idle = setTimeout(welcome, milliseconds)
}

function drawFoot() {
  showWaiting(sending.state.waiting)
  $('#warn').textContent = sending.state.ended && sending.state.waiting ? ' · please tell somebody who works here' : ''
}

async function signIn() {
  clearComplaints()
  const reach = typed('reach')
  const ring = chosen('ring')
  const news = ticked(about)
  const wrong = wrongWithReach(reach)
  const needed = ring === 'yes' || Object.keys(news).length > 0
  if (!ring) complain('ring', 'Say whether you would like us to ring you')
  if (wrong) complain('reach', wrong)
  else if (needed && !reach) complain('reach', 'Write a number or an email address that we may use')
  if (!typed('given')) complain('given', 'Write your first name')
  if (!ring || wrong || (needed && !reach) || !typed('given')) return
  const given = typed('given')
  try {
    await keep({ kind: 'sign_in', given_name: given, family_name: typed('family'), reach, ring, news, privacy: about.privacy })
  } catch {
    return complain('given', 'This did not work, and nothing was saved. Please tell somebody who works here.')
  }
  goTo('s-thanks', `Thank you, ${given}`, ring === 'yes' ? 'We will ring you soon. Now help yourself to something to drink.' : 'Now help yourself to something to drink.')
  $('#hello').focus()
  wait(THANKS)
  await sending.count()
  sending.send()
}

async function leave() {
  clearComplaints()
  const pin = typed('pin')
  if (!pin) return complain('pin', 'Type the PIN')
  $('#leave').disabled = true
  try {
    if (await store.read('lock')) await lock.unlock(pin)
    await store.keep({ mode: 'door' })
    clearFields()
    location.replace('/kit/')
  } catch (fault) {
    if (!(fault instanceof lock.WrongPin)) throw fault
    $('#pin').value = ''
    complain('pin', fault.left ? `That is not the PIN. ${many(fault.left, 'more try', 'more tries')}.` : 'After five wrong PINs the list of names was removed from here. Staff can set this device up again.')
  } finally {
    $('#leave').disabled = false
  }
}

async function begin() {
  about = await store.read('about')
  if (!about) return goTo('s-none', 'Not set up', '')
  if ((await store.read('mode')) !== 'kiosk') return location.replace('/kit/')
  fillWordings(about)
  welcome()
  // Back stays here, and shows an empty form.
  history.pushState(null, '')
  addEventListener('popstate', () => {
    history.pushState(null, '')
    welcome()
  })
  sending.news.addEventListener('change', drawFoot)
  setInterval(async () => {
    about = (await store.read('about')) ?? about
    if ((about.ended || Date.now() - (about.skew ?? 0) > about.closesAt) && (await store.read('lock'))) await lock.wipe()
  }, IDLE)
  await sending.begin()
}

enterPresses()
$('#here').addEventListener('click', signIn)
$('#next').addEventListener('click', welcome)
$('#again').addEventListener('click', welcome)
$('#staff').addEventListener('click', () => {
  goTo('s-leave', 'For staff', 'Visitors: press “Start again”.')
  $('#pin').focus()
})
$('#leave').addEventListener('click', leave)
for (const kind of ['pointerdown', 'keydown', 'input']) {
  document.addEventListener(kind, () => $('#s-thanks').hidden && wait(IDLE))
}
addEventListener('pagehide', clearFields)
addEventListener('pageshow', (event) => event.persisted && location.reload())
begin()
