//! The lists: what people call secrets, in lower case without anything but letters and digits, and Latin letters without accents.

use super::Rule;
use crate::detect::Detectors;
use crate::kind::Kind;

/// Names that mean one thing as a whole.
pub(super) const EXACT: &[(Rule, &str)] = &[
    (Rule::Credentials, "authorization proxyauthorization xauthorization authentication xjwt"),
    (Rule::Challenge, "wwwauthenticate proxyauthenticate authenticationinfo"),
    // PKCE (RFC 7636) binds two requests by a hash; the others name things and hold no secret.
    (
        Rule::Keep,
        "codeverifier codechallenge codechallengemethod csrfparam csrfparameter csrfparametername csrfheader \
         csrfheadername csrffieldname csrftokenname xsrfcookiename xsrfheadername tokentype accesstokentype \
         pagetoken nextpagetoken prevpagetoken previouspagetoken continuationtoken nexttoken synctoken \
         nextcontinuationtoken cancellationtoken tokenendpoint emailverified phonenumberverified",
    ),
    (
        Rule::Mask(Kind::Password),
        "passwords pswd usrpwd senha haslo heslo geslo lozinka zaporka adgangskode kodeord parool slaptazodis sifre matkhau katasandi palavrapasse \
         claveacceso clavedeacceso parola mdp парола лозинка κωδικόσπρόσβασησ סיסמה סיסמא كلمةالمرور كلمةالسر 口令 暗証番号 \
         pass pwd passwd passphrase passcode txtpwd txtpass securityanswer secretanswer userpass userpwd newpwd oldpwd currentpwd loginpass pw",
    ),
    (Rule::Mask(Kind::Cvc), "cvc cvv cvc2 cvv2 csc securitycode cardsecuritycode verificationvalue"),
    (
        Rule::Mask(Kind::Otp),
        "usercode authcode verificationcode resetcode recoverycode recoverycodes backupcode backupcodes otp otpcode totp totpcode mfacode twofactorcode 2facode smscode onetimecode onetimepassword \
         pin pincode 验证码 驗證碼 認証コード 인증번호",
    ),
    (
        Rule::Mask(Kind::Card),
        "cardno cardnum ccnum ccno creditcard debitcard pan primaryaccountnumber kartennummer kreditkartennummer numerodetarjeta 卡号 カード番号",
    ),
    (Rule::Mask(Kind::Iban), "iban ibannumber"),
    (
        Rule::Mask(Kind::NationalId),
        "ssn socialsecurity socialsecuritynumber socialsecurityno taxid taxpayerid nationalid nationalidnumber passport \
         passportno passportnumber driverlicense driverslicense drivinglicence drivinglicense driverlicensenumber personnummer personalnumber \
         samordningsnummer nino nationalinsurance nationalinsurancenumber ninumber codicefiscale taxcode fiscalcode identitynumber \
         identitycard identitycardnumber idcard idcardnumber idcardno personalid personalidnumber citizenid governmentid itin ein \
         pesel cpf cnpj cpfcnpj aadhaar aadhar dni nie nif nifnumber documentonacional nir insee numerosecu numsecu securitesociale bsn \
         burgerservicenummer rijksregisternummer numeronational niss sin socialinsurancenumber tfn taxfilenumber steuerid steuernummer \
         steueridentifikationsnummer idnr sozialversicherungsnummer svnr ahv ahvnummer avs hetu henkilotunnus fodselsnummer fnr \
         cprnummer cprnumber tckimlik tckimlikno kimlikno tckn curp rfc rut cedula idnumber rsaid saidnumber jmbg oib egn cnp rodnecislo \
         mynumber residentid residentidnumber shenfenzheng nricnumber nric nhsnumber medicare medicarenumber ausweisnummer personalausweisnummer reisepassnummer инн снилс \
         身份证 身份证号 身份证号码 身分證字號 個人番号 マイナンバー 주민등록번호",
    ),
    (
        Rule::Mask(Kind::Ip),
        "ip ipaddress ipaddr ipv4 ipv6 ipv4address ipv6address clientip clientaddress clientipaddress remoteip remoteaddr remoteaddress \
         remoteipaddress userip useripaddress sourceip srcip peerip peeraddress lastip lastloginip loginip signupip customerip visitorip \
         xforwardedfor xrealip xclientip trueclientip cfconnectingip cfconnectingipv6 cfpseudoipv4 fastlyclientip flyclientip \
         xclusterclientip xoriginalforwardedfor xenvoyexternaladdress xazureclientip xappengineuserip forwarded forwardedfor",
    ),
    (
        Rule::Mask(Kind::Mac),
        "mac macaddress macaddr devicemac wifimac ethernetmac bluetoothmac hwaddr hwaddress ethaddr bssid",
    ),
    (
        Rule::Mask(Kind::PrivateKey),
        "privatekey privkey privatekeypem tlskey tlsprivatekey sslkey clientkey serverkey keypem pem rsaprivatekey sshkey sshprivatekey",
    ),
    (
        Rule::Mask(Kind::Account),
        "acctnumber acctno accountnumber accountno bankaccount bankaccountnumber routingnumber sortcode kontonummer numerodecuenta 银行卡号 口座番号 계좌번호",
    ),
    (
        Rule::Mask(Kind::Email),
        "mail emailaddress mailaddress useremail upn preferredusername correo correoelectronico courriel epost epostadress 邮箱 郵箱 メールアドレス 이메일",
    ),
    (
        Rule::Mask(Kind::Phone),
        "telefon telefono telefone handy celular contactnumber phone homephone workphone userphone contactphone customerphone tel telephone telephonenumber phoneno phonenr mobile mobileno mobilenumber mobilephone cell \
         cellphone fax faxnumber msisdn telefonnummer telefoonnummer numerodetelefono numerodetelefone numerodetelephone puhelinnumero \
         телефон номертелефона 手机号 手机号码 手機號碼 电话 電話 電話番号 전화번호 휴대폰번호",
    ),
    (
        Rule::Mask(Kind::Name),
        "vorname nachname prenom apellido apellidos displayname nickname ownername nomdefamille fname lname givenname familyname middlename surname holder holdername cardholder cardholdername nameoncard \
         cardname accountholder recipientname customername personname contactname patientname passengername guestname \
         beneficiaryname payername payeename maidenname mothersmaidenname realname legalname nombrecompleto nomecompleto nomcomplet cognome sobrenome фамилия фио 姓名 氏名 성명",
    ),
    (
        Rule::Mask(Kind::Address),
        "address street address1 address2 addressline addressline1 addressline2 streetaddress streetname \
         street1 street2 housenumber shippingaddress billingaddress homeaddress postaladdress zip zipcode postcode \
         postalcode plz codigopostal codepostal адрес 地址 住所 주소",
    ),
    (
        Rule::Mask(Kind::Birthdate),
        "birthdate birthday dob dateofbirth bday birthdt dateofbirthday geburtsdatum datenaissance fechanacimiento geburtstag datedenaissance fechadenacimiento datadenascimento \
         datadinascita geboortedatum fodelsedatum fodselsdato syntymaaika dataurodzenia датарождения 出生日期 生年月日 생년월일",
    ),
    (
        Rule::Mask(Kind::ApiKey),
        "xapikey appkey accesskey accesskeyid secretkey secretaccesskey signingkey encryptionkey \
         subscriptionkey ocpapimsubscriptionkey xfunctionskey awsaccesskeyid xgoogapikey authkey \
         stripekey stripesecretkey mapskey googlekey googlemapskey sendgridkey twiliokey mailgunkey githubkey openaikey awskey awssecret \
         awssecretkey awssecretaccesskey servicekey masterkey clientsecretkey consumerkey webhookkey sharedkey accountkey storagekey",
    ),
    (
        Rule::Mask(Kind::Session),
        "sid session sess sessid sessionkey connectsid phpsessid jsessionid aspnetsessionid cfid \
         laravelsession authsession xsession sessionstate",
    ),
    (
        Rule::Mask(Kind::Token),
        "auth jwt bearer assertion clientassertion samlresponse samlrequest idtokenhint nonce \
         remember rememberme xauth otac",
    ),
    (Rule::Mask(Kind::Signature), "signature sig xamzsignature xhubsignature xhubsignature256 hmac"),
    (Rule::Mask(Kind::Token), "xamzcredential"),
    (
        Rule::Mask(Kind::User),
        "username userlogin login loginname uname benutzername nomdutilisateur nombredeusuario gebruikersnaam логин 用户名 用戶名 ユーザー名",
    ),
    // Bar codes have check digits that pass for others'.
    (Rule::Keep, "ean ean8 ean13 gtin gtin13 gtin14 upc barcode isbn isbn13 issn"),
    // Servers, not clients.
    (
        Rule::Without(Detectors::IP),
        "host authority xforwardedhost xforwardedserver xhost xoriginalhost origin referer referrer server via xpoweredby useragent ua \
         xuseragent secchua secchuafullversionlist version apiversion appversion clientversion osversion buildversion release xversion \
         serverversion firmware firmwareversion xserver servername hostname upstream endpoint",
    ),
    // Random, and no secret: names of things, of contents and of places.
    (
        Rule::Without(Detectors::RANDOM),
        "etag ifmatch ifnonematch ifrange contentmd5 digest contentdigest reprdigest wantdigest contenttype contentdisposition contentsecuritypolicy \
         contentsecuritypolicyreportonly secwebsocketkey secwebsocketaccept xamzid2 xamzcontentsha256 cfray traceparent \
         tracestate b3 xb3traceid xcache xservedby servertiming reportto nel link vary baggage accept acceptencoding acceptlanguage \
         cachecontrol hash sha sha1 sha256 sha384 sha512 md5 checksum crc32 integrity sri commit commitsha revision rev build buildhash \
         cursor after before nextcursor prevcursor endcursor startcursor slug href src srcset url uri path file filename image icon \
         thumbnail avatar picture photo logo sourcemap blurhash class classname style d points viewbox",
    ),
];

/// Names that end so, where no whole name matched. Checked in order.
pub(super) const ENDINGS: &[(Rule, &str)] = &[
    (
        Rule::Mask(Kind::Csrf),
        "csrftoken xsrftoken csrf xsrf csrfmiddlewaretoken requestverificationtoken authenticitytoken formtoken \
         antiforgerytoken",
    ),
    (
        Rule::Mask(Kind::Password),
        "password passwort passwordconfirmation passwordconfirm confirmpassword kennwort motdepasse contrasena wachtwoord passord losenord \
         salasana jelszo пароль 密码 密碼 パスワード 비밀번호",
    ),
    (Rule::Mask(Kind::Card), "cardnumber ccnumber"),
    (Rule::Mask(Kind::Cvc), "cardcvc cardcvv"),
    (Rule::Mask(Kind::Iban), "iban"),
    (Rule::Mask(Kind::PrivateKey), "privatekey"),
    (Rule::Mask(Kind::ApiKey), "apikey secretkey accesskey accesskeyid"),
    (Rule::Mask(Kind::Session), "sessionid sessiontoken"),
    (Rule::Mask(Kind::Token), "token secret"),
    (Rule::Mask(Kind::Email), "email"),
    (Rule::Mask(Kind::Phone), "phonenumber"),
    (Rule::Mask(Kind::Name), "firstname lastname fullname"),
    (Rule::Mask(Kind::Ip), "ipaddress clientip remoteaddr"),
    (Rule::Mask(Kind::Mac), "macaddress"),
    (Rule::Without(Detectors::IP), "version"),
    (
        Rule::Without(Detectors::RANDOM),
        "id ids uuid guid etag hash checksum digest sha256 cursor slug url uri",
    ),
];

/// Words in front of a name that say whose it is, or of what sort.
pub(super) const QUALIFIERS: &str = "x http data user customer client my new old current primary secondary default main billing shipping delivery home work private \
     business contact account owner holder buyer seller payer payee recipient sender member patient employee guest person profile \
     cardholder emergency creditor debtor debitor beneficiary applicant insured student subscriber visitor spouse partner parent child \
     device account encrypted raw plain original j";

/// Words behind one that say no more than that it is a value.
pub(super) const FILLERS: &str = "number no num nr value text string str field input again repeat repeated retype confirm confirmation verify hash";

/// Names that are no longer what they were with a word before them: `data-cell`, `home-page`.
pub(super) const WHOLE_ONLY: &str = "cell pw auth login rfc sin nie mail session sess ein pass rut ua";

/// In an object under a secret's name, names that say no more than that it is a value.
pub(super) const BELOW_BARE: &str =
    "value val number no num nr new old current previous before after raw plain plaintext cleartext";

/// Names that describe the secret under whose name they stand in an object, and are none themselves.
pub(super) const BELOW_DESCRIBES: &str = "type kind title label default example examples const enum analyzer normalizer sort deprecated summary documentation shape variant \
     symbol contract standard description desc message messages msg error errors code reason hint hints placeholder \
     help tooltip info note comment status state result outcome strength score length minlength maxlength min max size pattern regex policy rule rules validation \
     algorithm alg algo cipher kdf curve method provider issuer issuedby iss aud audience scope scopes grant permissions role roles format encoding charset \
     created modified updated changed issued expires expiry expiration expired exp iat nbf expmonth expyear month year valid validity date time timestamp ttl age duration \
     country countrycode nationality region state city locale lang language currency timezone brand network funding bank bankname \
     bin iin last4 lastfour lastdigits masked category group level tier plan required enabled autocomplete component widget field property path \
     file filename unit source origin environment env stage channel device platform os browser useragent agent app application client vendor product \
     version revision build host hostname server domain realm url uri href src link icon image avatar style class classname slug etag model schema ref tag tags \
     count index position lat lng lon latitude longitude order color action event operation op purpose usage use intent mode scheme protocol prefix suffix xmlns";

/// Last words of such names: `created_at`, `expiresIn`, `token_type`.
pub(super) const BELOW_LAST: &str = "at on date time until since in by type kind status state count length strength score level hint label message error \
     name url uri month year day days hours minutes seconds ms policy method provider issuer algorithm version country";

/// Cookies that hold a preference, when their value is short.
pub(super) const PREFERENCES: &str = "theme lang language locale currency country region tz timezone darkmode colormode view layout \
     cookieconsent consent";

/// Values that no machine-made secret has.
pub(super) const WORDS: &str = "true false null none undefined nil yes no on off 0 1 -1 nan deleted delete expired invalid fetch required \
     bearer basic";

/// Names of resources' identifiers end so, in whatever spelling.
pub(crate) const ID_ENDINGS: &str = "id ids uuid guid slug sku reference ref handle permalink";
