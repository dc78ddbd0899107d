"""Files of prices: trades, quotes and candles as venues and their tools write them.

`shapes` lists what is known, `recognise` finds it in a file, `text_rows`, `json_rows` and
`frame_rows` read rows of each form, `price_table` makes prices of them, `candles` walks through a
candle, `description` says what would be read.
"""
