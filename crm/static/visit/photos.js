// A photo is made small on the phone before it is sent: signal is poor where it is taken. What the camera wrote into it goes
// on the way, and goes at the server in any case. Where the phone can seal, it is kept like what is typed, at once; where it
// can't, it goes with the form.

import { keep } from './entries.js'

const LONGEST_SIDE = 1600
// As much as an entry may hold once it is sealed.
const LARGEST_BYTES = 500_000

async function smaller(file) {
  const picture = await createImageBitmap(file, { imageOrientation: 'from-image' })
  for (let side = LONGEST_SIDE; side > 100; side *= 0.7) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height))
    const canvas = Object.assign(document.createElement('canvas'), { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) })
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height)
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.8))
    if (blob && blob.size <= LARGEST_BYTES) return { blob, canvas }
  }
  throw new Error('too large')
}

async function asText(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

// What was kept is shown from memory, until the page is left: the phone can't open it again.
function show(box, canvas, label) {
  const figure = Object.assign(document.createElement('figure'), { className: 'ds-photo' })
  const small = Object.assign(document.createElement('canvas'), { width: 192, height: 144 })
  const scale = Math.max(small.width / canvas.width, small.height / canvas.height)
  const [width, height] = [canvas.width * scale, canvas.height * scale]
  small.getContext('2d').drawImage(canvas, (small.width - width) / 2, (small.height - height) / 2, width, height)
  small.setAttribute('role', 'img')
  small.setAttribute('aria-label', `${label}, photo just taken`)
  figure.append(small)
  box.parentElement.before(figure)
}

// `about` is what this phone sends with, if it was made ready; `done` is told when a photo is kept.
export function takePhotos(about, done) {
  for (const box of document.querySelectorAll('[data-photo]')) {
    box.addEventListener('change', async () => {
      if (!box.files[0]) return
      const fault = box.parentElement.querySelector('[data-photo-fault]')
      try {
        const { blob, canvas } = await smaller(box.files[0])
        if (about) {
          const at = await keep({ do: 'photo', item: box.dataset.photo, picture: await asText(blob) }, about)
          show(box, canvas, box.dataset.label)
          box.value = ''
          fault.hidden = true
          return done(at)
        }
        const list = new DataTransfer()
        list.items.add(new File([blob], 'photo.jpg', { type: 'image/jpeg' }))
        box.files = list.files
      } catch {
        // With signal it goes as it is, by the form, which says what is wrong with it. Without, only this can say so.
        fault.hidden = box.form !== null && navigator.onLine
      }
    })
  }
}
