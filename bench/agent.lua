-- An agent's requests: the number of a random client, and for payments an id that was never used.
-- Arguments: what (check, pay or bare), how many clients there are, the credentials, the first id.

local what, accounts, start
local count = 0

function init(args)
  what, accounts, start = args[1], tonumber(args[2]), tonumber(args[4])
  wrk.headers["Authorization"] = "Basic " .. args[3]
  wrk.headers["Host"] = "biller.example"
  math.randomseed(os.time() + start)
end

function request()
  count = count + 1
  local number = string.format("%08d", math.random(accounts))
  local path = what == "bare" and "/healthz" or "/pay/bench"
  local command = what == "pay" and "pay" or "check"
  local sum = what == "pay" and string.format("%d.%02d", math.random(1, 99), math.random(0, 99)) or "1.00"
  return wrk.format("GET", path .. "?command=" .. command .. "&txn_id=" .. string.format("%d", start + count)
    .. "&txn_date=20261123120000&account=" .. number .. "&sum=" .. sum)
end
