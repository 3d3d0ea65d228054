package credential

import "testing"

func TestHashes(t *testing.T) {
	const salt, sum = "aZ9qaIRJm2SHUn89oK+AKw", "uCc5cBLPE5Q61N1j+6wp2KJYmtMJFsWP8jkauTf8I0o"
	for _, hash := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + sum,
		"$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
		"$2y$12$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
	} {
		if err := ParseHash(hash); err != nil {
			t.Errorf("%s: %v", hash, err)
		}
	}
	for _, hash := range []string{
		"", "password", "5f4dcc3b5aa765d61d8327deb882cf99", "$", "$argon2id$", "$1$salt$hash",
		"$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$t=2,m=19456,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=2$" + salt + "$" + sum,
		"$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=1048577,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=65,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + sum,
		"$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=19456,t=2,p=1$$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "==$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + sum + "$",
		"$2a$10$tooshort", "$2a$03$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W", "$2a$32$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
		"$2x$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
	} {
		if err := ParseHash(hash); err == nil {
			t.Errorf("%q passed", hash)
		}
	}
}
