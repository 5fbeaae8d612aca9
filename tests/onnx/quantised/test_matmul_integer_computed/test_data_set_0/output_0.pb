ByJ0oW€
ЁS€В[€{X€≠єS€nГW€J≠X€PFX€Бо_€Jѓa€RЛh€ЯYd€