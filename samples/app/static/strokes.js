"use strict";
/*
 * From what was drawn to an image as the model was trained on.
 *
 * The data set's digits were scanned, each was cut out and stretched to a bitmap of 32 by 32
 * pixels that it fills from top to bottom, about 20 wide, in a pen of much the same width, and
 * each 4 by 4 block was counted: 64 numbers from 0 to 16. A drawing that is merely shrunk looks
 * nothing like that: it may be small, off centre, thin. So the strokes themselves (not the pixels
 * on the screen) are moved and scaled into such a box, drawn anew with a pen of the right width,
 * and counted in the same way.
 */
const Strokes = (() => {
  const FINE = 32; // side of the bitmap
  const SIDE = 8; // side of the image
  const BLOCK = FINE / SIDE;
  const WIDTH = 19; // how wide the data set's digits are in the bitmap (median 19.5)
  const PEN = 3; // radius of the pen in the bitmap; drawings then hold as much ink as the data set's
  // How far the width may be stretched against the height: a plain 1 becomes a thick bar, as in
  // the data set, but not a block; a wide 2 is squeezed into place.
  const STRETCH = { least: 0.55, most: 1.3 };

  /* The box around all points, in the units of the drawing. */
  function boundsOf(strokes) {
    const bounds = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
    for (const point of strokes.flat()) {
      bounds.left = Math.min(bounds.left, point.x);
      bounds.right = Math.max(bounds.right, point.x);
      bounds.top = Math.min(bounds.top, point.y);
      bounds.bottom = Math.max(bounds.bottom, point.y);
    }
    return bounds;
  }

  /* The strokes in the bitmap's units, and the pen's two radii there. */
  function fit(strokes) {
    const bounds = boundsOf(strokes);
    const width = bounds.right - bounds.left;
    const height = bounds.bottom - bounds.top;
    // The pen adds its width on all sides, so the lines themselves get what is left of the box.
    const inner = FINE - 2 * PEN;
    // A drawing of a dot or a dash has no height to scale by; its longer side stands in.
    const scale = inner / Math.max(height, width / 3, 1e-6);
    const natural = width * scale + 2 * PEN;
    const stretch = Math.min(STRETCH.most, Math.max(STRETCH.least, WIDTH / natural));
    const middleX = (bounds.left + bounds.right) / 2;
    const middleY = (bounds.top + bounds.bottom) / 2;
    const place = (point) => ({
      x: FINE / 2 + (point.x - middleX) * scale * stretch,
      y: FINE / 2 + (point.y - middleY) * scale,
    });
    return { strokes: strokes.map((stroke) => stroke.map(place)), radiusX: PEN * stretch };
  }

  /* The square of the distance from (x, y) to the line from a to b; both axes in pen widths. */
  function squaredDistance(x, y, a, b) {
    const dx = b.x - a.x;
    const dy = b.y - a.y;
    const square = dx * dx + dy * dy;
    const along = square === 0 ? 0 : ((x - a.x) * dx + (y - a.y) * dy) / square;
    const t = Math.min(1, Math.max(0, along));
    return (a.x + t * dx - x) ** 2 + (a.y + t * dy - y) ** 2;
  }

  /* Eight rows of eight whole numbers from 0 to 16; null if nothing was drawn. */
  function toImage(strokes) {
    if (strokes.length === 0) return null;
    const fitted = fit(strokes);
    const inPens = fitted.strokes.map((stroke) =>
      stroke.map((point) => ({ x: point.x / fitted.radiusX, y: point.y / PEN })));
    const image = Array.from({ length: SIDE }, () => new Array(SIDE).fill(0));
    for (let row = 0; row < FINE; row++) {
      for (let column = 0; column < FINE; column++) {
        const x = (column + 0.5) / fitted.radiusX;
        const y = (row + 0.5) / PEN;
        const inked = inPens.some((stroke) => stroke.some((point, index) =>
          squaredDistance(x, y, stroke[Math.max(0, index - 1)], point) <= 1));
        if (inked) image[Math.floor(row / BLOCK)][Math.floor(column / BLOCK)] += 1;
      }
    }
    return image;
  }

  return { toImage };
})();
if (typeof module !== "undefined") module.exports = Strokes;
