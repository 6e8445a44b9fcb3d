/** Of what takes long and is many, every other one where `STORMGLASS_HALF` says which (0 or 1), as the gate does in turn; everything where it does not. */
export const half = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => {
  const which = process.env["STORMGLASS_HALF"]
  return which === undefined ? all : all.filter((_, nth) => (nth + Number(which)) % 2 === 0)
}
