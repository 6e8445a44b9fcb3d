/** The time zone of every run: that of the host would be another on each machine. */
export const zone = "UTC"
