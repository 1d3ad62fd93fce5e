// Makes the phone or tablet in hand a device of an event: keys are made here, the page is kept for when there is no
// signal, and the list of names is sealed under the PIN before anything is written.

import { newDeviceKey, newLock, openWith, sealNames } from './lock.js'
import { newSigningKey, publicHalf } from '../kept/sealing.js'
import * as store from './store.js'

const form = document.querySelector('[data-set-up-door]')
const problem = document.querySelector('#set-up-problem')
const words = document.querySelector('#set-up-words')
const pin = form.querySelector('#pin')
const again = form.querySelector('#pin-again')
const button = form.querySelector('button[type=submit]')

class ToPutRight extends Error {
  constructor(message, field) {
    super(message)
    this.field = field
  }
}

const EASY = /^(\d)\1+$|^0?123456789?0?$|^987654|^654321/

function checkPin() {
  if (!/^\d{6,12}$/.test(pin.value)) throw new ToPutRight('Choose a PIN of 6 to 12 digits.', pin)
  if (EASY.test(pin.value)) throw new ToPutRight('That PIN is the first that anybody would try. Choose another.', pin)
  if (pin.value !== again.value) throw new ToPutRight('The two PINs differ. Type the same one twice.', again)
}

function checkBrowser() {
  if (!(isSecureContext && crypto.subtle && 'indexedDB' in window && navigator.serviceWorker && navigator.locks)) {
    throw new ToPutRight('This browser can’t work the door. Use a current Chrome, Edge, Firefox or Safari, and not a private window.')
  }
}

// What another event left here must not be lost by setting up for this one.
async function checkNothingIsLeft(event) {
  const before = await store.read('about')
  const left = await store.waiting()
  if (before && before.event !== event && left) {
    throw new ToPutRight(
      `${left} ${left === 1 ? 'entry' : 'entries'} of “${before.eventName}” ${left === 1 ? 'is' : 'are'} still on this device. Open the door on it (${location.origin}/kit/) and send or save them first.`,
    )
  }
}

async function keepThePage() {
  const registration = await navigator.serviceWorker.register('/kit/worker.js', { scope: '/kit/' })
  const worker = registration.installing ?? registration.waiting ?? registration.active
  await new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === 'activated') resolve()
      if (worker.state === 'redundant') {
        reject(new ToPutRight('The page could not be kept on this device. Check that there is signal, then try again.'))
      }
    }
    worker.addEventListener('statechange', look)
    look()
  })
}

async function setUp() {
  checkBrowser()
  const event = Number(new URL(form.action).pathname.split('/')[2])
  if (!form.elements.name.value.trim()) throw new ToPutRight('Give the device a name, like Priya’s phone.', form.elements.name)
  checkPin()
  await checkNothingIsLeft(event)
  await keepThePage()
  // Its key stays the same over events, so that what it kept can still be told to be its own.
  const signing = (await store.read('signing')) ?? (await newSigningKey())
  const lock = newLock()
  const { key, proof } = await openWith(pin.value, lock)
  form.elements.signing_key.value = await publicHalf(signing)
  form.elements.proof.value = proof
  form.elements.clock.value = Date.now()
  const answer = await fetch(form.action, {
    method: 'POST',
    body: new FormData(form),
    headers: { Accept: 'application/json' },
  }).catch(() => null)
  if (answer === null) throw new ToPutRight('There is no signal just now. Nothing has been set up yet: try again.')
  if (answer.status === 422) throw new ToPutRight((await answer.json()).problems.join(' '))
  if (answer.status !== 201) throw new ToPutRight('That did not work. Open this page again, sign in if it asks, and try again.')
  const { names, ...about } = await answer.json()
  const deviceKey = await newDeviceKey()
  await store.keep({
    about: { ...about, skew: Date.now() - about.now, persisted: (await navigator.storage?.persist?.()) ?? false },
    signing,
    lock,
    deviceKey,
    names: await sealNames(names, key, deviceKey),
    mode: 'door',
  })
  location.replace('/kit/')
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  problem.hidden = true
  button.disabled = true
  try {
    await setUp()
    pin.value = again.value = ''
  } catch (fault) {
    words.textContent = fault instanceof ToPutRight ? fault.message : 'This browser would not keep what the door needs. Use an ordinary window, not a private one, and check that there is room.'
    problem.hidden = false
    problem.focus()
    for (const field of [form.elements.name, pin, again]) field.removeAttribute('aria-invalid')
    fault.field?.setAttribute('aria-invalid', 'true')
    if (fault.field) fault.field.focus()
  } finally {
    button.disabled = false
  }
})
// It rests until here: pressed before, it would send the form as it stands, and what was typed would be gone.
button.disabled = false
