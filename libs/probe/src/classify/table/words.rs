//! Concepts: what rows speak about, in the words of many languages.
//!
//! A row that writes `{locked}` means every word of that concept, so that a wording which
//! nobody has shown us is understood as soon as its parts are. English is mostly left to
//! the rows, since English words are many and need their neighbours; the other languages
//! stand here, one line each, as stems. Data only, written in any form that `fold` equals.

/// The concept's name, and how each language says it.
const CONCEPTS: &[(&str, &[&str])] = &[
    // A user's account or mailbox, as the thing that somebody locked or closed.
    (
        "account",
        &[
            "<konto|konto>|benutzer|<nutzer|postfach|<zugang|kundenkonto|mailkonto", // de, sv, da, no, pl
            "gebruiker|postbus|mailbox",                                             // nl
            "<compte|utilisateur|<boite|messagerie",                                 // fr
            "<cuenta|usuario|<buzon|casilla",                                        // es
            "<conta>|utilizador|caixa postal|caixa de correio|caixa de entrada",     // pt
            "utente|<casella|account",                                               // it
            "<konta>|konta |uzytkowni|skrzynk",                                      // pl
            "<ucet|<uctu|uzivatel|schrank",                                          // cs, sk
            "учетн|аккаунт|пользовател|ящик|облікови|користувач|скриньк",            // ru, uk
            "anvandar|brevlad|bruger|bruker|postkasse|postlada",                     // sv, da, no
            "<tili|kayttaja|fiok|felhasznalo|postafiok|hesap|hesab|kullanici|<cont>|contul|utilizator", // fi, hu, tr, ro
            "アカウント|ユーザ|利用者|会員|お客様|メールボックス|メールアドレス|契約", // ja
            "账号|账户|用户|邮箱|信箱",                                                // zh
            "계정|사용자|메일|아이디|회원",                                            // ko
        ],
    ),
    // An account's state of being out of use.
    (
        "locked",
        &[
            "gesperrt|deaktiviert|stillgelegt|blockiert|eingefroren|gekundigt|suspendiert|ausser betrieb|zahlungsverzug|zahlungsruckstand",
            "geblokkeerd|vergrendeld|opgeschort|uitgeschakeld|gedeactiveerd|geschorst",
            "suspendu|bloque|verrouill|desactiv|clotur|resili",
            "suspendid|suspens|bloquead|desativad|inhabilitad|inabilitad|cancelad|encerrad",
            "bloccat|sospes|disattivat|disabilitat|congelat",
            "zablokowan|zawieszon|wylaczon|dezaktywowan|nieaktywn|zamkniet",
            "zablokovan|zamcen|zamknut|pozastaven|deaktivovan|zrusen",
            "заблокирован|отключен|приостановлен|заморожен|деактивирован|заблокован|призупинен",
            "sparrad|<last>|sparret|blokeret|blokkert|sperret|avstangd|suspendera",
            "lukittu|suljettu|letilt|zarolt|felfuggeszt|kilitlen|askiya|engellen|devre disi|blocat|suspendat|dezactivat",
            "ロック|停止|凍結|解約|無効化|休止|閉鎖|失効|止めて|解除されて",
            "冻结|锁定|停用|禁用|封停|封禁|被封|封号|被锁|注销|暂停使用|停机|欠费|存在异常|状态异常|已停",
            "잠김|잠겨|정지|잠금|차단|휴면|해지",
        ],
    ),
    // A service's state of not being switched on.
    (
        "off",
        &[
            "deaktiviert|nicht aktiviert|nicht aktiv|ausgeschaltet|abgeschaltet|abgestellt|nicht freigeschaltet|nicht freigegeben|nicht erlaubt|nicht gestattet|nicht zugelassen|nicht zur verfugung|nicht gebucht|nicht enthalten|gesperrt|aktivieren sie|einschalten|freischalten",
            "uitgeschakeld|niet ingeschakeld|niet toegestaan|niet geactiveerd|niet actief|staat uit|uitgezet",
            "desactiv|pas active|pas activ|non activ|pas autoris|non autoris|pas ouvert|pas disponible pour|interdit|activez",
            "deshabilitad|desactivad|inhabilitad|no esta habilitad|no habilitad|no esta activ|no permitid|no autorizad|habilite|active el",
            "desabilitad|desativad|inabilitad|nao habilitad|nao esta habilitad|nao esta ativ|nao permitid|nao autorizad|nao ativad|ative o",
            "disabilitat|disattivat|non abilitat|non e abilitat|non attiv|non e attiv|non consentit|non permess|non autorizzat",
            "wylaczon|nie jest wlaczon|niewlaczon|nie jest aktywn|nieaktywn|zablokowan|niedozwolon|nie jest dozwolon|wlacz ",
            "neni povolen|nepovolen|neni aktivn|neni zapnut|zakazan|vypnut|povolte",
            "отключен|выключен|запрещен|не включен|не разрешен|не активирован|не подключен|включите|вимкнен|заборонен",
            "avaktivera|inte aktivera|deaktivera|ikke aktivera|ikke aktiver|deaktiver|ei ole kaytossa|poistettu kaytosta|nincs engedelyez|letilt|devre disi|kapali|dezactivat|nu este activ",
            "無効|利用できません|ご利用いただけません|使用できません|許可されていません|許可していません|有効になっていません|有効にしてください|有効ではありません|オフ|利用しない|ご利用になれ|お使いいただけ|使えません|設定されていません|契約されていません|お申し込み|プラン",
            "未开启|没有开启|没有打开|未打开|未开通|没有开通|未启用|没有启用|已关闭|被关闭|关闭了|被禁用|已禁用|无权限|没有权限|不允许|未授权|停用|请开启|请先开启|请开通",
            "사용하지 않|사용 안함|사용안함|사용 안 함|되어있지 않|되어 있지 않|허용되지|사용할 수 없|비활성|해제|설정하지|꺼져",
        ],
    ),
    // A limit that was met.
    (
        "exceeded",
        &[
            "uberschritten|uberschreit|erreicht|ausgeschopft|aufgebraucht|zu viele|zuviele|zu haufig|maximal|hochstzahl|<limit>",
            "overschreden|bereikt|te veel|maximaal|maximum",
            "depass|atteint|epuis|trop de|maximum|maximal",
            "superad|excedid|alcanzad|agotad|demasiad|maximo|limite",
            "excedeu|excedid|ultrapass|atingid|atingiu|esgotad|muitas|muitos",
            "superat|raggiunt|esaurit|troppe|troppi|massimo",
            "przekrocz|osiagniet|zbyt wiele|zbyt duzo|za duzo|wyczerpan|limit",
            "prekroc|dosazen|dosahl|prilis mnoho|vycerpan|limit",
            "превышен|превысил|достигнут|исчерпан|слишком много|лимит|максимальн|перевищен|вичерпан|забагато",
            "overskred|overskrid|for mange|for manga|overskridit|ylitetty|liian monta|tullepes|tul sok|asildi|cok fazla|depasit|prea multe",
            "上限|超え|超過|達し|多すぎ|過多|オーバー",
            "超过|超出|超限|上限|已达|达到|过多|太多|已满|用完|耗尽",
            "초과|너무 많|한도|초과했|넘었",
        ],
    ),
    // Sessions and sockets.
    (
        "connection",
        &[
            "verbindung|sitzung|gleichzeitig|verbinding|gelijktijdig|sessie",
            "connexion|session|simultane|conexi|conexo|sesion|sessao|sessoes|connessioni|sessioni",
            "polaczen|polacze|jednoczesn|rownoczesn|spojeni|pripojeni|soucasn|relaci",
            "соединени|подключени|сесси|одновременн|з'єднан|підключен",
            "anslutning|forbindelse|tilkobling|yhteyksi|kapcsolat|baglanti|conexiuni",
            "并发|并行|同时登录|同时在线|客户端数|连接|连线|会话|同時接続|接続数|同時ログイン|セッション|コネクション|동시|접속|연결",
        ],
    ),
    // Handing mail over, in plenty.
    (
        "sending",
        &[
            "versand|senden|gesendet|verschick|versend|nachrichten|ausgehend",
            "verzend|verzonden|berichten|uitgaand",
            "d'envoi|envois|envoye|messages|sortant",
            "envio|enviad|enviar|mensajes|saliente|mensagens",
            "invio|inviat|inviare|inviabil|messaggi",
            "wysyl|wyslan|wiadomosci|odesil|odeslan|odeslat|zprav|odchozi",
            "отправк|отправлен|отправля|писем|сообщений|исходящ|рассыл|надсилан|листів",
            "skicka|sende|gonderi|gonderim|lahetys|lahett|kuld|trimite",
            "送信|通数|メール数|配信",
            "发送|发信|发件数|发出|发邮件|外发|邮件数量|邮件数",
            "발송|전송|보내|메일",
        ],
    ),
    // A stretch of time that a limit counts in.
    (
        "period",
        &[
            "<heute|pro tag|pro stunde|taglich|stundlich|tages|stunden",
            "per dag|per uur|dagelijks|vandaag",
            "aujourd|par jour|par heure|quotidien|journali|horaire",
            "por dia|por hora|diari|hoy>|hoje>|diario",
            "al giorno|all'ora|giornalier|orari|oggi",
            "dzienn|na dobe|na godzine|godzinow|denni|za den|za hodinu|hodinov",
            "сегодня|в день|в сутки|в час|суточн|дневн|часов|за сутки|за час",
            "每天|每日|今日|当日|当天|今天|每小时|1日|一日|本日|1时间|一时间|1か月|24时间|시간당|하루|일일|오늘",
        ],
    ),
    // That something is needed first.
    (
        "required",
        &[
            "erforderlich|notwendig|zuerst|vereist|verplicht|nodig|requis|obligatoire|necessaire|d'abord|requerid|necesari|obligatori|primero|exigid|necessari|primeiro|richiest|deve>|wymagan|najpierw|vyzadovan|vyzaduj|nutn|nejprve",
            "требуется|необходим|нужн|сначала|потрібн|kravs|kraves|kreves|vaaditaan|szukseges|gerekli|gerekir|necesar",
            "必要|してください|して下さい|必须|需要|请先|请使用|필요|먼저",
        ],
    ),
    // Doing something again and again.
    (
        "attempt",
        &[
            "versuch|pogingen|tentativ|intentos|<prob |proby logow|pokus|попыт|спроб|forsok|forsog|yritys|yrityks|probalkoz|deneme|incercari",
            "回数|次数|尝试|試行|시도|횟수",
        ],
    ),
    // Using what is somebody else's.
    (
        "abuse",
        &[
            "missbrauch|misbruik|abus>|abusif|abuso|uso indebido|uso indevido|naduzyc|zneuzit|злоупотреб|взлом|зловжив|missbruk|misbrug|misbruk",
            "大量送信|スパム送信|发送垃圾|spamversand|envoi de spam|envio de spam|spamu|рассылку спама|рассылка спама",
            "不正利用|不正使用|不正アクセス|乗っ取|违规|滥用|盗用|被盗|악용|도용|부정",
        ],
    ),
    // Proving who one is.
    (
        "login",
        &[
            "authentifizier|authentisier|anmeldung|anmelden|einloggen|aanmeld|authenticatie|inloggen|authentification|authentifi|identifi|autenticac|autenticar|autenticaz|iniciar sesion|inicie sesion|faca login|accesso",
            "uwierzytelni|autoryzac|zalogow|zaloguj|autentizac|overeni|prihlas|аутентифик|авториз|войдите|логин|автентифік|autentiser|godkendelse|palogging|inloggning|tunnistau|kirjaut|hitelesit|bejelentkez|kimlik dogrula|oturum ac|autentific",
            "認証|ログイン|验证|登录|登入|인증|로그인",
        ],
    ),
    // The secret.
    (
        "password",
        &[
            "passwort|passwor|kennwort|wachtwoord|mot de passe|contrasena|<clave|senha|palavra passe|<password|haslo|hasla|hesl",
            "парол|losenord|adgangskode|passord|salasana|jelszo|sifre|parola|geslo|lozink",
            "密码|口令|パスワード|暗証|비밀번호|패스워드|암호",
        ],
    ),
    // Something that is past its time.
    (
        "expired",
        &[
            "abgelaufen|ungultig geworden|zuruckgesetzt|reinitialis|restablec|redefin|reimpostat|zresetowan|сброшен|リセット|初期化され|再設定|重置|초기화|verlopen|expir|caducad|vencid|scadut|wygasl|vyprsel|platnost|истек|просрочен|устарел",
            "utgatt|udlobet|utlopt|vanhentun|lejart|suresi dol",
            "过期|已到期|到期|有効期限|期限切れ|期限が切れ|期限を過ぎ|만료",
        ],
    ),
    // From another country.
    (
        "abroad",
        &[
            "ausland|buitenland|etranger|extranjero|exterior|estero|zagranic|zahranici|из-за рубежа|за границ|страны|странах|ulkomail|kulfold|yurt disi",
            "海外|国外|境外|해외|국외|日本国外",
        ],
    ),
    // The address that a connection comes from.
    (
        "address",
        &[
            "<ip adres|ip adresse|adresse ip|direccion ip|endereco ip|indirizzo ip|ip-адрес|ip адрес|adres ip|adresa ip|ip adresa|ip osoite|ip cim",
            "ip地址|ipアドレス|接続元|アクセス元|아이피|ip주소|ip 주소",
        ],
    ),
    // A server that is out of order for now.
    (
        "unavailable",
        &[
            "antwortet nicht|reagiert nicht|antwoordt niet|ne repond pas|no responde|nao responde|non risponde|nie odpowiada|neodpovida|не отвечает|не відповідає|応答しません|応答がありません|无响应|응답하지",
            "nicht verfugbar|nicht erreichbar|uberlastet|interner fehler|serverfehler|systemfehler|storung",
            "niet beschikbaar|niet bereikbaar|overbelast|interne fout|storing",
            "indisponible|surcharg|erreur interne|erreur systeme|hors service|injoignable",
            "no disponible|no esta disponible|error interno|saturado|indisponivel|erro interno|sobrecarreg",
            "non disponibile|errore interno|sovraccaric|non raggiungibile",
            "niedostepn|przeciazon|blad wewnetrzny|blad serwera|nedostupn|pretizen|interni chyba|vnitrni chyba|chyba serveru",
            "недоступен|недоступн|перегружен|внутренняя ошибка|ошибка сервера|системная ошибка|недоступний|перевантажен",
            "inte tillganglig|ikke tilgangelig|ikke tilgjengelig|ei ole kaytettavissa|nem elerheto|kullanilamiyor|indisponibil",
            "混雑|混み合|内部エラー|システムエラー|サーバエラー|サーバーエラー|障害|サーバに接続できません|サーバーに接続できません|サーバへ接続できません|サーバーへ接続できません",
            "系统繁忙|服务器繁忙|服务器忙|繁忙|系统错误|服务不可用|服务器错误|服务器内部|内部错误|系统故障|系统异常|服务异常|不可用",
            "내부 오류|서버 오류|시스템 오류|장애",
        ],
    ),
    // For the time being.
    (
        "for_now",
        &[
            "vorubergehend|zeitweise|zeitweilig|momentan|derzeit|tijdelijk|momenteel|temporaire|momentanement|actuellement",
            "temporal|temporari|temporan|momentaneament|tymczasow|chwilow|docasn|временн|тимчасов|tillfallig|midlertidig|tilapais|atmenetileg|gecici",
            "暂时|一时|일시|임시",
        ],
    ),
    // Maintenance and restarts.
    (
        "maintenance",
        &[
            "wartung|onderhoud|mantenimiento|manutencao|manutenzione|konserwac|przerw|udrzb|обслуживани|технические работы|технических работ|underhall|vedligehold|vedlikehold|huolto|karbantart|bakim",
            "维护|メンテナンス|保守作業|点検|점검|升级",
        ],
    ),
    // How an address is said to be unknown.
    (
        "unknown",
        &[
            "unbekannt|existiert nicht|nicht vorhanden|nicht gefunden|onbekend|bestaat niet|niet gevonden|inconnu|n'existe|inexistant|introuvable",
            "desconocid|no existe|inexistente|no encontrad|desconhecid|nao existe|nao encontrad|sconosciut|inesistente|non esiste|non trovat",
            "nieznan|nie istnieje|nie znaleziono|neznam|neexistuj|nenalezen|не найден|неизвест|не существ|нет такого|не існує|не знайдено",
            "okand|finns inte|ukendt|ukjent|findes ikke|finnes ikke|tuntematon|ismeretlen|nem letezik|bilinmeyen|bulunamadi|nu exista",
            "不存在|未找到|无效|没有此|查无|存在しません|見つかりません|不明|該当する|ございません|없는|존재하지|없습니다",
        ],
    ),
    // How a refusal is said where something was not allowed.
    (
        "refused",
        &[
            "bloqu|refus|interdit|gesperrt|abgelehnt|zuruckgewiesen|abgewiesen|blockiert|verweigert|nicht erlaubt|nicht zugelassen|nicht gestattet|unzulassig|verboten|nicht angenommen|nicht akzeptiert|nicht entgegen",
            "geweigerd|geblokkeerd|niet toegestaan|verboden|rejete|non autoris|pas autoris|rechaz|denegad|prohibid|no permitid|no esta permitid|no se permit|recusad|rejeitad|negad|nao permitid|nao e permitid|proibid",
            "rifiut|bloccat|negat|non consentit|non permess|vietat|odrzucon|odmow|zablokowan|niedozwolon|zabron|odmitnut|zamitnut|zablokovan|nepovolen|zakazan",
            "заблокирован|отклонен|запрещен|отказано|не разрешен|недопустим|заборонен|відхилен|nekad|avvisa|afvist|avvist|estetty|hylatty|elutasit|reddedildi|engellen",
            "拒绝|禁止|限制|封|被拒|不允许|不被允许|不接受|無権|制限|拒否|許可され|許可してい|認められて|できません|できない|受け付け|断り|お受けできません|不在允许|不在白名单|ブロック|차단|거부|제한|허용되지|금지|않습니다",
        ],
    ),
    // How a secret or a name is said not to fit.
    (
        "wrong",
        &[
            "falsch|fehlerhaft|nicht korrekt|stimmt nicht|stimmen nicht|passt nicht|passen nicht|nicht uberein|nicht gultig|nicht richtig|nicht akzeptiert|nicht anerkannt|nicht erkannt|ungultig|onjuist|ongeldig|verkeerd|niet geldig|niet juist|niet correct|komt niet overeen|komen niet overeen",
            "incorrect|incorect|invalid|errone|inconnu|mauvais|ne correspond|correspondent pas|pas valide|pas correct|non reconnu|incorret|inval|erroneo|errad|no coincid|no corresponde|no es valid|no son valid|no es correct|no son correct|no reconoc|nao confere|nao coincid|nao corresponde|nao e valid|nao sao valid",
            "errat|sbagliat|non valid|non corrett|non e corrett|non sono corrett|non corrispond|non riconosc|nieprawidłow|niepoprawn|błędn|<zły|<zla|złe|nie pasuj|nie zgadza|nie jest prawidl|nie jest poprawn|nie sa prawidl|nespravn|neplatn|chybn|spatn|nejsou spravn|neni spravn|neni platn|nesouhlas",
            "не принят|неверн|неправильн|ошибк|не совпад|не подход|не соответств|невірн|хибн|не збіга|грешн|pogresn|neispravn|napacn",
            "felaktig|ogiltig|<fel |stammer inte|forkert|ugyldig|<feil|matcher ikke|stemmer ikke|virheelli|vaari|vaara|hibas|helytelen|ervenytelen|hatali|hatalı|yanlıs|gecersiz|eslesmiyor|gresit",
            "<vale|vigane|neteising|nepareiz|rangt|okerra|गलत|نادرست|اشتباه|غير صحيح|خاطئ|שגוי|שגויה|λαθος|λανθασμεν|εσφαλμεν|salah|sai |<sai>|không đúng|không chính xác|khong dung|khong chinh xac|ไม่ถูกต้อง",
            "错误|不正确|有误|不符|不对|不匹配|不一致|失败|違|誤|間違|正しくありません|正しくない|一致しません|一致していません|一致しない|異なります|異なってい|認識できません|お確かめ|ご確認|일치하지|틀|잘못|오류|실패|올바르지",
        ],
    ),
    // How a method or command is said to be missing.
    (
        "unsupported",
        &[
            "nicht unterstutzt|nicht moglich|niet ondersteund|pas pris en charge|non pris en charge|non supporte|no soportad|no admitid|no compatible|nao suportad|non supportat|nie obsluguj|nieobslugiwan|neni podporovan|nepodporovan",
            "не поддерживается|не поддерживаются|не підтримується|stods inte|understottes ikke|stottes ikke|ei tueta|nem tamogatott|desteklenmiyor|nu este acceptat",
            "不支持|サポートされて|サポートして|対応していません|지원하지",
        ],
    ),
    // How a message or an attachment is said to be too big.
    (
        "too_big",
        &[
            "zu gross|maximalgrosse|maximale grosse|grossenlimit|grossenbeschrankung|te groot|trop gros|trop volumin|trop grand|trop lourd|taille maxi|demasiado grande|tamano maximo|muito grande|tamanho maximo|troppo grande|dimensione massima|dimensioni massime",
            "zbyt duz|za duza|przekracza|prilis velk|превышает|слишком больш|размер|занадто велик|for stor|for stort|liian suuri|tul nagy|cok buyuk|prea mare",
            "太大|过大|大小超|大小限制|サイズ|大きすぎ|容量を超|너무 큽|너무 커|크기",
        ],
    ),
];

/// The fragments of a concept; `None` where there is none of that name.
fn concept(name: &str) -> Option<&'static [&'static str]> {
    CONCEPTS.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
}

/// Puts the words of the named concepts in place of `{name}` in a row's list.
pub(super) fn expand(list: &str) -> String {
    let expanded: Vec<String> = list
        .split('|')
        .map(|fragment| {
            let name = fragment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            name.and_then(concept).map_or_else(|| fragment.to_owned(), |words| words.join("|"))
        })
        .collect();
    expanded.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concepts_are_put_in_place_of_their_names() {
        let expanded = expand("<locked|{locked}|banned");
        assert!(expanded.starts_with("<locked|gesperrt|") && expanded.ends_with("|banned"));
        assert_eq!(expand("{nothing}"), "{nothing}");
    }

    #[test]
    fn every_concept_is_used_and_every_used_one_is_known() {
        let rows = || super::super::rows().flat_map(|row| row.words.iter().chain([&row.unless]));
        for (name, _) in CONCEPTS {
            assert!(rows().any(|list| list.contains(&format!("{{{name}}}"))), "{name} is unused");
        }
        for list in rows() {
            assert!(!expand(list).contains('{'), "an unknown concept in {list}");
        }
    }
}
