/** Of what takes long and is many, every third one (of two, every other) where `STORMGLASS_THIRD` says which (0, 1 or 2), as the gate does in turn; everything where it does not. */
export const third = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => {
  const which = process.env["STORMGLASS_THIRD"]
  return which === undefined ? all : all.filter((_, nth) => (nth + Number(which)) % Math.min(3, all.length) === 0)
}
