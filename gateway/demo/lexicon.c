/* SPDX-License-Identifier: Apache-2.0 */
#include "lexicon.h"

#include <stdlib.h>

struct source {
    enum demo_language language;
    enum demo_word_kind kind;
    const char *words; /* separated by single blanks */
};

/* Frequent function words carry the language; mood words carry the sentiment and a little language. */
static const struct source sources[] = {
    {DEMO_EN, DEMO_STOP,
     "the of and to in is was it for with that this on are be as at have has from you we they he she not but "
     "by an were which their would there been will what when your can our who had my its or if me so all do"},
    {DEMO_DE, DEMO_STOP,
     "der die das und ist nicht ein eine einen ich du er sie es wir ihr mit für auf dem den des von zu im "
     "auch "
     "sich war wurde aber als wie noch nach bei aus wenn nur oder kann hat haben sind sein dass über so mir "
     "uns"},
    {DEMO_FR, DEMO_STOP,
     "le la les un une des du de et est pas je tu il elle nous vous ils dans pour que qui sur avec ce cette "
     "au "
     "aux mais ou par plus sont était été avoir être fait comme tout très son sa ses mon ma mes leur ne se "
     "en"},
    {DEMO_ES, DEMO_STOP,
     "el la los las un una de del y es no que en por para con su sus se al lo como más pero muy está están "
     "este esta ser son fue ha han yo tú él ella nosotros también cuando hay mi me le les todo desde porque"},
    {DEMO_IT, DEMO_STOP,
     "il lo la i gli le un una di del della che e è non in per con su si al alla come più ma anche sono era "
     "essere ho hai ha questo questa nel nella dei delle io lui lei noi molto tutto quando dove mi ci "
     "perché"},
    {DEMO_PT, DEMO_STOP,
     "o a os as um uma de do da dos das e é não que em no na por para com seu sua se ao mais mas muito está "
     "este esta ser são foi tem eu ele ela nós você também quando há meu minha isso tudo pelo pela como já"},
    {DEMO_NL, DEMO_STOP,
     "de het een en is niet ik je hij zij wij van in op te dat die voor met aan zijn was er maar om ook als "
     "bij naar uit door over nog wel geen heeft hebben wordt werd dit deze mijn ons onze hun heel veel zo "
     "kan"},
    {DEMO_SV, DEMO_STOP,
     "och det att en ett är inte jag du han hon vi de som på av för med till den har var om men så från "
     "eller "
     "kan ska hade blir mycket också när där här vid efter min mitt mina sig sin ingen något bara nu"},
    {DEMO_PL, DEMO_STOP,
     "i w na nie jest się z do to że o jak za od po przez ale dla był była było są co ten ta te tego jej "
     "jego "
     "ich tylko tak już być może bardzo czy który która które oraz mnie mam ma gdy tym przy"},

    {DEMO_EN, DEMO_POSITIVE,
     "good great excellent wonderful amazing love loved loves like liked happy best nice perfect fantastic "
     "friendly beautiful awesome helpful enjoyed enjoy delicious clean fast comfortable pleasant recommend "
     "brilliant superb impressive delightful glad thanks"},
    {DEMO_EN, DEMO_NEGATIVE,
     "bad terrible awful horrible worst hate hated poor sad dirty slow rude broken disappointing "
     "disappointed "
     "disappointment boring ugly useless wrong problem problems fail failed failure angry annoying expensive "
     "cold noisy unfriendly dreadful pain waste"},
    {DEMO_EN, DEMO_NEGATION,
     "not no never without hardly isn't wasn't don't doesn't didn't can't couldn't won't wouldn't nothing"},
    {DEMO_EN, DEMO_INTENSIFIER, "very really extremely so absolutely totally incredibly truly quite"},

    {DEMO_DE, DEMO_POSITIVE,
     "gut gute guter gutes guten toll super schön schöne schönes wunderbar wunderbare ausgezeichnet "
     "hervorragend "
     "liebe liebt glücklich beste bestes besten nett freundlich freundliche perfekt fantastisch lecker "
     "sauber "
     "schnell angenehm empfehlen zufrieden großartig danke gern gerne"},
    {DEMO_DE, DEMO_NEGATIVE,
     "schlecht schlechte schlechter schlechtes schrecklich furchtbar hasse traurig schmutzig langsam "
     "unfreundlich "
     "kaputt enttäuschend enttäuscht langweilig hässlich nutzlos falsch problem probleme fehler ärgerlich "
     "teuer "
     "kalt laut schlimm miserabel leider"},
    {DEMO_DE, DEMO_NEGATION, "nicht kein keine keinen keiner nie niemals ohne kaum nichts"},
    {DEMO_DE, DEMO_INTENSIFIER, "sehr wirklich äußerst extrem total besonders absolut ziemlich"},

    {DEMO_FR, DEMO_POSITIVE,
     "bon bonne bons bonnes bien excellent excellente merveilleux magnifique superbe aime adore heureux "
     "heureuse "
     "meilleur meilleure parfait parfaite fantastique sympathique agréable beau belle délicieux propre "
     "rapide "
     "recommande génial content contente merci formidable"},
    {DEMO_FR, DEMO_NEGATIVE,
     "mauvais mauvaise terrible horrible affreux déteste pire triste sale lent lente impoli cassé décevant "
     "déçu "
     "déçue ennuyeux laid inutile faux problème problèmes échec cher froid bruyant nul nulle désagréable"},
    {DEMO_FR, DEMO_NEGATION, "pas jamais sans rien aucun aucune"},
    {DEMO_FR, DEMO_INTENSIFIER, "très vraiment extrêmement tellement absolument trop"},

    {DEMO_ES, DEMO_POSITIVE,
     "bueno buena buenos buenas bien excelente maravilloso maravillosa amo encanta encantó feliz mejor "
     "perfecto "
     "perfecta fantástico amable hermoso hermosa bonito delicioso limpio rápido cómodo agradable recomiendo "
     "genial contento gracias increíble"},
    {DEMO_ES, DEMO_NEGATIVE,
     "malo mala malos malas mal terrible horrible odio peor triste sucio lento lenta grosero roto "
     "decepcionante "
     "decepcionado aburrido feo inútil problema problemas fallo caro frío ruidoso pésimo desagradable"},
    {DEMO_ES, DEMO_NEGATION, "no nunca sin jamás nada ningún ninguna tampoco"},
    {DEMO_ES, DEMO_INTENSIFIER, "muy realmente extremadamente tan absolutamente bastante"},

    {DEMO_IT, DEMO_POSITIVE,
     "buono buona buoni bene eccellente meraviglioso amo adoro felice migliore perfetto perfetta fantastico "
     "gentile bello bella bellissimo delizioso pulito veloce comodo piacevole consiglio ottimo ottima "
     "grazie"},
    {DEMO_IT, DEMO_NEGATIVE,
     "cattivo cattiva male terribile orribile odio peggiore triste sporco lento lenta maleducato rotto "
     "deludente "
     "deluso noioso brutto brutta inutile problema problemi errore caro freddo rumoroso pessimo pessima"},
    {DEMO_IT, DEMO_NEGATION, "non mai senza niente nessun nessuno nessuna"},
    {DEMO_IT, DEMO_INTENSIFIER, "molto davvero estremamente così assolutamente troppo"},

    {DEMO_PT, DEMO_POSITIVE,
     "bom boa bons boas bem excelente maravilhoso maravilhosa amo adoro feliz melhor perfeito perfeita "
     "fantástico "
     "simpático bonito bonita lindo linda delicioso limpo rápido confortável agradável recomendo ótimo ótima "
     "obrigado"},
    {DEMO_PT, DEMO_NEGATIVE,
     "mau má ruim terrível horrível odeio pior triste sujo lento lenta grosseiro quebrado decepcionante "
     "decepcionado chato feio inútil problema problemas falha caro frio barulhento péssimo péssima"},
    {DEMO_PT, DEMO_NEGATION, "não nunca sem jamais nada nenhum nenhuma"},
    {DEMO_PT, DEMO_INTENSIFIER, "muito realmente extremamente tão absolutamente bastante"},

    {DEMO_NL, DEMO_POSITIVE,
     "goed goede geweldig geweldige uitstekend prachtig mooi mooie fijn fijne hou blij beste leuk leuke "
     "perfect "
     "fantastisch vriendelijk lekker schoon snel comfortabel aangenaam tevreden bedankt top"},
    {DEMO_NL, DEMO_NEGATIVE,
     "slecht slechte verschrikkelijk vreselijk haat slechtste verdrietig vies langzaam traag onbeleefd kapot "
     "teleurstellend teleurgesteld saai lelijk nutteloos fout probleem problemen duur koud luid jammer"},
    {DEMO_NL, DEMO_NEGATION, "niet geen nooit zonder niets"},
    {DEMO_NL, DEMO_INTENSIFIER, "heel zeer erg echt extreem ontzettend"},
};

static const struct {
    const char *code;
    const char *name;
} languages[DEMO_LANGUAGES] = {
    [DEMO_EN] = {"en", "English"},  [DEMO_DE] = {"de", "German"},
    [DEMO_FR] = {"fr", "French"},   [DEMO_ES] = {"es", "Spanish"},
    [DEMO_IT] = {"it", "Italian"},  [DEMO_PT] = {"pt", "Portuguese"},
    [DEMO_NL] = {"nl", "Dutch"},    [DEMO_SV] = {"sv", "Swedish"},
    [DEMO_PL] = {"pl", "Polish"},   [DEMO_RU] = {"ru", "Russian"},
    [DEMO_EL] = {"el", "Greek"},    [DEMO_AR] = {"ar", "Arabic"},
    [DEMO_HE] = {"he", "Hebrew"},   [DEMO_HI] = {"hi", "Hindi"},
    [DEMO_TH] = {"th", "Thai"},     [DEMO_KO] = {"ko", "Korean"},
    [DEMO_JA] = {"ja", "Japanese"}, [DEMO_ZH] = {"zh_chs", "Chinese_Simplified"},
};

static struct demo_word *words;
static size_t n_words;

static int compare_text(struct pst_str a, struct pst_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.p, b.p, len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_words(const void *a, const void *b)
{
    return compare_text(((const struct demo_word *)a)->text, ((const struct demo_word *)b)->text);
}

static size_t count_words(const char *list)
{
    size_t n = 1;
    for (; *list; list++)
        n += *list == ' ';
    return n;
}

int demo_lexicon_build(void)
{
    if (words)
        return 0;
    size_t n = 0;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        n += count_words(sources[i].words);
    words = calloc(n, sizeof *words);
    if (!words)
        return -PST_ENOMEM;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct pst_str rest = pst_str_of(sources[i].words);
        while (rest.len) {
            struct pst_str word = pst_str_cut(rest, ' ', &rest);
            words[n_words++] = (struct demo_word){word, sources[i].language, sources[i].kind};
        }
    }
    qsort(words, n_words, sizeof *words, compare_words);
    return 0;
}

void demo_lexicon_drop(void)
{
    free(words);
    words = NULL;
    n_words = 0;
}

const struct demo_word *demo_lexicon_find(struct pst_str word, size_t *ret_n)
{
    size_t low = 0;
    size_t high = n_words;
    while (low < high) { /* the first entry that is not before `word` */
        size_t mid = low + (high - low) / 2;
        if (compare_text(words[mid].text, word) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    size_t end = low;
    while (end < n_words && pst_str_eq(words[end].text, word))
        end++;
    *ret_n = end - low;
    return end > low ? &words[low] : NULL;
}

const char *demo_language_code(enum demo_language language)
{
    return languages[language].code;
}

const char *demo_language_name(enum demo_language language)
{
    return languages[language].name;
}
