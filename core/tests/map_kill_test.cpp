// kills
