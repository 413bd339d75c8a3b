-- Logins that fail in ways a password file cannot express.
local answers = {
  ["locked@lab.test"] = dovecot.auth.PASSDB_RESULT_USER_DISABLED,
  ["expired@lab.test"] = dovecot.auth.PASSDB_RESULT_PASS_EXPIRED,
  ["tempfail@lab.test"] = dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE,
}

function auth_passdb_lookup(request)
  if request.user == "disabled@lab.test" then
    return dovecot.auth.PASSDB_RESULT_OK, {
      password = "{PLAIN}pass-disabled",
      nologin = "y",
      reason = "Account disabled by the administrator",
    }
  end
  return answers[request.user] or dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
end

function auth_userdb_lookup(request)
  return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, ""
end
