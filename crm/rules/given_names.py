"""First names that mean the same person: spellings of one name, and what it is shortened to.

One name a line: its spellings, then after a bar what people are called for short. A short name may stand under several:
Sam is Samuel or Samantha. Written for the people that English services meet; a name that is missing is compared by its
spelling and sound alone.
"""

from __future__ import annotations

_NAMES = """
abigail abigael abbigail | abby abbie gail
adam adham | ads
adrian adrien | ade
agnes agnieszka | aggie nessie aga
aidan aiden aodhan aydan
aisha ayesha aysha aaisha
alan allan allen alun | al
albert | al bert bertie
alexander aleksander alasdair alastair alistair alisdair | alex al sandy alec xander lex sasha
alexandra aleksandra alexandria | alex sandra lexi lexie sasha ola alexa
alfred | alf alfie fred freddie
alice alys alyce alicja | ali
alison allison alyson | ali ally
amanda | mandy manda
amelia amalia emelia | amy millie milly mia
andrew andre andrzej andreas | andy drew andi
angela angelina | angie ange
ann anne anna ana | annie nan nancy anya ania
anthony antony antoni anton | tony ant toni
antonia | toni tonia
archibald | archie
arthur artur | art artie
ashley ashleigh | ash
barbara basia | barb babs barbie basia
barnaby barnabas | barney
bartholomew bartlomiej | bart bartek
beatrice beatrix | bea trixie trix
benjamin | ben benny benji
bernadette | bernie berni detta
bernard | bernie
bethany bethan | beth
brendan brendon
bridget brigid bridgit brighid | bridie biddy bride
caitlin kaitlin caitlyn kaitlyn catlin | cait
cameron | cam
caroline carolyn carolina karolina | carol caz carrie lina
carol carole caryl
cecilia cecily cicely | cissy celia
charles karol | charlie chas chuck chaz charley
charlotte | charlie lottie lotte char charley
chibuike chibuikem | chibu buike
chidimma | chidi dimma
chinedu | nedu edu
chinonso | nonso chino
chioma | chi oma
christina cristina kristina krystyna | chris chrissie tina kirsty christy krysia
christine kristine | chris chrissie tina
christopher kristopher krzysztof | chris kit topher christy krzysiek
ciara kiera keira kira ciera keera
ciaran kieran kieron keiran
claire clare clara klara
clifford | cliff
clive
colin | col
constance | connie
cornelius | con neil
courtney | court
cynthia | cindy
daniel daniyal danyal | dan danny
danielle daniella | dani danni ella
daphne | daff
darren darran | daz
david dafydd dawid | dave davey davie dai dewi
deborah debra debora | debbie deb debs
deirdre | dee
denis dennis | den denny
denise
derek derrick | del
desmond | des
diana diane dianne | di
dominic dominick dominik | dom
donald domhnall | don donnie
dorothy dorota | dot dottie dolly
douglas | doug dougie
duncan
edith | edie
edmund edmond | ed eddie ted
edward eduard edouard | ed eddie ted teddy ned
eileen aileen | eily
eleanor elinor eleanora ellenor | ellie nell nellie nora ella
elijah elias | eli
elizabeth elisabeth elspeth elzbieta | liz lizzie beth betty bess eliza libby lisa elsie betsy lizzy ela bette
ellen elen | ellie nell nellie
helen helena elena | nell lena
emily emilie emilia | em emmy millie milly emi
emma | em emmy
emmanuel emanuel | manny
eoghan eoin owen owain euan ewan
eric erik
esther ester hester | essie hettie
eugene | gene
evelyn evelina | evie eve eva
ewa eva | ewka
ezekiel | zeke
fatima fatimah fatema fathima fatma | fati
felicity | flick fliss
fiona | fi
fionnuala finola nuala fionnghuala | nuala
florence | flo florrie flossie
frances francesca franciszka | fran frankie francie fanny chesca
francis franciszek | frank frankie fran
frederick frederic fryderyk | fred freddie freddy
gabriel | gabe
gabriella gabriela gabrielle | gabby gabi gaby ella
gareth garth | gaz gary
gary garry | gaz
gavin | gav
gemma jemma | gem jem
geoffrey jeffrey jeffery | geoff jeff
george georgios jerzy | georgie
georgina georgia | georgie gina
gerald gerard | gerry jerry ged
geraldine | gerry
gerard | ged gerry
gillian jillian | gill jill gilly
giulia julia | jules
grainne grania
grazyna
graham graeme grahame
gregory grzegorz gregor | greg grzes
gwendolyn gwendoline gwendolen | gwen wendy
hannah hanna hana | hanny
harold | harry hal
harriet harriett | harry hattie hatty
hassan hasan
heather
henry henryk henri | harry hal hank
herbert | herb bert
hilary hillary | hils
hugh huw hew | hughie
hussein hussain husain hossain husayn
ian iain
ibrahim ebrahim ibraheem | ibby
abraham | abe
imogen | immy
isaac | ike zac
isabel isobel isabelle isabella izabela ishbel | izzy bella belle tibby iza
ismail ismael esmail | izzy
jacek
jacob jakub jakob | jake kuba cob
yaqub yakub yaqoob
jacqueline jaqueline jacquelyn | jackie jacqui jacky
james | jim jimmy jamie jem
seamus seumas
hamish
jan
jane jayne | janie jenny janey
janet janette | jan netta
janice janis | jan
jasmine yasmin yasmine jazmin jasmin | jas jazz yas
jason | jase
jean jeanne | jeannie
jennifer jenifer | jen jenny jenni
jeremy jeremiah | jerry jez jem
jessica jesica | jess jessie
joan | joanie
joanna joanne johanna | jo joey asia
jodie jody jodi
john jon ieuan | johnny jack jonny johnnie
sean shaun shawn
evan
jonathan johnathan jonathon | jon jonny jonty nathan
josephine josefina | jo josie joey
joseph jozef | joe joey jo
yusuf yousef yousuf youssef yusif
joshua | josh
joyce
judith judyta | judy jude
julian | jules
julie julia juliet juliette | jules
justyna justina justine | tina
kamal kemal
karen karin caryn | kaz
katarzyna | kasia kaska kate
katherine catherine kathryn katharine cathryn catharine katarina ekaterina catrin caitriona catriona | kate katie kathy cath kath cathy kat kit kitty kay trina
kathleen cathleen | kath kathy kay
kayleigh kaylee kayley
keith
kenneth | ken kenny
kevin caoimhin kevyn | kev
khadija khadijah hadija khadeeja
kimberley kimberly | kim
kofi
krishna
kwabena kobina | kobby
kwame
laura lara | laurie
laurence lawrence | larry laurie loz
leanne leighanne lianne
leonard | len lenny leo
leonie
lesley leslie | les
lewis louis luis | lou louie lew
liam
lillian lilian lilianna | lily lil lilly
linda lynda | lin lindy
lindsay lindsey lynsey linsey | lin
louise luisa louisa | lou lulu
lucy lucia lucie | lu
luke lukasz lucas lukas
lynn lynne lin
magdalena magdalene | magda maddie lena
malcolm | mal
malgorzata | gosia malgosia gosha
mackenzie | mac kenzie
madeleine madeline madelaine | maddie maddy
margaret margarita marguerite mairead mererid marged | maggie meg peggy margie marge greta rita daisy mags madge molly
mary maria marie mair maire | molly polly may marysia mamie
mariam maryam miriam
moira
marian marion
mark marc marek marcus
martin martyn marcin | marty
martha marta | mattie
mateusz matthew mathew matteo | matt matty
matilda | tilly tilda maud
maureen | mo
maxwell maximilian maximillian | max
megan meghan meagan | meg
melanie | mel
melissa | mel lissa
melvin melvyn | mel
mercy
michael micheal michal mikael mikail | mike mick mickey micky mikey
michelle michele | shell shelly chelle
mildred | millie
mohammed muhammad mohamed mohammad muhammed mohamad mehmet mahomed muhamad mohamud mahmud | mo moh
moses
musa moussa moosa
nadia nadya | nads
nancy
natalie nathalie natalia | nat tasha
natasha | tasha nat
nathaniel nathanial | nathan nat nate
neil niall neal nial
ngozi
niamh neve nieve neave
nicholas nicolas mikolaj nikolas | nick nicky nic klaus
nicola nicole nichola | nicky nikki nic nikky nic
nigel | nige
noreen nora norah | nonie
oliver | ollie olly
olivia oliwia | liv livvy livia
oluwaseun | seun
oluwatobi oluwatobiloba | tobi
oluwaseyi | seyi
oluwafemi olufemi | femi
oluwadamilola damilola oluwadamilare | dami lola
oluwakemi olukemi | kemi
oluwatoyin olutoyin | toyin
folasade | sade shade fola
temitope | temi tope
oluwatosin | tosin
babatunde olatunde | tunde
adebayo | bayo ade
adewale | wale ade
abimbola | bimbo bola
ifeoma | ify
ifeanyi | ify
obinna | obi
chukwuemeka | emeka
nnamdi
ikechukwu | ike
uchenna | uche
adaeze | ada
nkechi nkechinyere | kechi
yetunde | yetty
omotola | tola
olumide | mide
ayodele | ayo
ayomide | ayo
ebenezer | eben
akosua
abena
patricia | pat patsy trish tricia paddy patty patti
patrick padraig padraic patryk | pat paddy patsy rick
paul pawel pal pol
paula
pauline paulina | polly
penelope | penny
peter piotr pedro petr pyotr | pete
philip phillip filip philippe | phil pip
philippa phillipa | pip pippa
phyllis | phyl
piers pierce
poppy
priscilla | cilla
priya preeya
przemyslaw | przemek
rachel rachael rachelle raquel | rach rae
rafal raphael rafael | rafa
rajesh | raj
rajinder rajender | raj
raymond | ray
rebecca rebekah rebeka | becky becca bec becks bex
rhiannon
rhys reece reese rees
richard ryszard | rick ricky dick rich richie rico
rupert
robert | rob bob bobby robbie bert rab robin
roberta | bobbie robbie
roderick | rod roddy rory
rodney | rod
roger rodger
roisin rosheen rosaleen
ronald | ron ronnie
rory ruairi ruaridh
rosemary rosemarie | rose rosie
rosalind rosaline rosalyn | ros roz
rosamund rosamond | ros roz
rose rosa | rosie
roxanne roxana | roxy
russell | russ
ruth
saima saimah
samantha | sam sammy sammie
samuel | sam sammy
sandeep sundeep | sandy
sarah sara saira | sally sadie
sergiusz
shannon
sharon sharron | shaz
sheila sheelagh shelagh sile
shirley
sidney sydney | sid
simon szymon simeon | si
sinead shinade
siobhan shivaun shevaun siobhain shivon chevonne siobhann
sophie sophia sofia zofia sofie | soph zosia
stanislaw | stan staszek
stanley | stan
stephanie stefanie | steph stevie
stephen steven stefan szczepan steffan | steve stevie ste
stuart stewart | stu
sukhdeep | sukhi
sukhvinder sukhwinder | sukhi
surinder surender
harpreet | harp
gurpreet | gurp
jaspreet | jas
manpreet | manny
mandeep | manny
kuldeep
parminder parmjit paramjit | pam
susan suzanne susanna susannah zuzanna susanne | sue suzie susie suzy zuza
sylvia silvia
tamara | tammy
tamsin | tam
teresa theresa therese | terri tess tracy tessa
terence terrence | terry tel
thelma
theodore | theo ted teddy
thomas tomasz tomas tomos | tom tommy tomek
timothy tymoteusz | tim timmy
tracey tracy tracie | trace
trevor trefor | trev
ursula urszula | ula
valerie | val
vanessa | nessa
veronica weronika | ronnie vera
victor wiktor | vic
victoria wiktoria | vicky vicki tori vikki vic
vincent wincenty | vince vinny vin
violet | vi
vivian vivien vivienne | viv
walter | wally walt
wanda
wilfred | wilf
william gwilym wilhelm | will bill billy willie wills liam
winifred | win winnie freda
wojciech | wojtek
zachary zakariya zachariah zakaria | zac zack zach zak
zainab zaynab zeinab
zoe zoey
ahmed ahmad ahmet
abdul abdel abdal
abdullah abdallah abdulla | abdul
abdulrahman abdurrahman abdirahman abdulrehman | abdul
ali aly
amina aminah ameena aamina
amir ameer aamir
amira ameera
andrea
carl karl
martina
simone
asif aasif
farah farrah
fatuma
faisal faysal feisal
hamza hamzah
hafsa hafsah
halima haleema halimah
imran
iqbal iqubal
jamal jamaal
jamila jameela jamilah
kareem karim
khalid khaled
layla leila laila leyla
mahmood mahmoud mehmood
malik maleek
mustafa mostafa mustapha
nadeem nadim
nasreen nasrin
noor nur noora
omar umar omer
osman uthman usman othman
parveen parvin
rahim raheem
rashid rasheed
rukhsana ruksana rukshana
saeed said sayeed
syed sayed
safiya safia saffiyah safiyyah | saffy
salim saleem
salma salmah
samina sameena
shabana
shabnam
shahid shaheed
sulaiman suleiman soliman sulayman | sully
tahira tahirah
tariq tarik tareq
waseem wasim
yasin yaseen
zahra zara zahrah
zubair zubayr
daud dawood dawud
aneeta anita
anil
deepak dipak
dinesh
geeta gita
harish | harry
jayesh | jay
jagdish | jag
jyoti jothi
kiran
lakshmi laxmi
mahesh
meena mina
mukesh
neeta nita
pooja puja
prakash
pritesh | prit
rakesh
ramesh
ravinder | ravi
reena rina
sanjay | sanj
sanjeev | sanj
seema sima
shilpa
sunil suneil
suresh
usha
vijay | vij
vikram | vik
agata
beata
bozena
danuta
ewelina
halina
irena irene
iwona
jadwiga
kamil camille
kinga
leszek
maciej
monika monica
slawomir | slawek
tadeusz | tadek
teodor
wieslaw | wiesiek
zbigniew | zbyszek
aoife eefa
aisling ashling aislinn
blathnaid
caoimhe keeva kiva
cathal
conor connor conchobar
cormac
daithi
declan
diarmuid dermot diarmaid
donal
eamon eamonn
eimear emer eimer
eithne ethna enya
fergus feargus
fintan
gearoid
maeve meabh medb
mairi mhairi
morag
muiread muriel
oonagh una oona
orla orlagh orlaith
orna
saoirse seersha
tadhg teague tad
angharad
bronwen bronwyn | bron
carys cerys
ceri kerry kerri
dilys
elin
ffion
geraint
glenys glynis
gwyneth | gwyn
hywel howell
idris
ifan ivan
iolo
llinos
lowri
lynfa
menna
nerys
rhodri
sian shan
sion
delroy | del
winston
leroy
marlene
beverley beverly | bev
yvonne evonne
yvette
lorraine
maxine | max
jermaine jermain
tyrone | ty
dwayne duane
"""

_COMMON_GIVEN = """
david john michael paul andrew peter james robert stephen steven mark richard christopher ian simon daniel matthew
anthony thomas kevin gary graham william martin philip alan jonathan joseph ben adam luke ryan jack sam lee jason
susan margaret sarah karen julie jane elizabeth christine helen jacqueline linda patricia deborah tracey joanne emma
claire nicola rachel rebecca laura louise lisa amanda samantha victoria michelle charlotte katie hannah amy jessica
lauren gemma kelly catherine katherine anna sophie emily mary mohammed muhammad ali fatima
"""

_COMMON_FAMILY = """
smith jones taylor brown williams wilson johnson davies robinson wright thompson evans walker white roberts green hall
wood jackson clarke clark patel khan lewis james phillips mason mitchell rose davis rodgers morris ward martin morgan
cooper king harris hughes turner hill edwards moore scott ali ahmed hussain begum singh kaur adams baker allen anderson
bell carter collins mensah osei boateng owusu asante adeyemi okafor okeke nowak kowalski obrien oconnor ryan walsh byrne
rahman chowdhury malik iqbal miah akhtar bibi uddin mohamed islam thomas rahim sharma hassan adams cook kelly lee parker shah watson young bennett murphy simpson campbell stewart shaw graham murray
"""


def _read() -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    lines = []
    for line in _NAMES.strip().splitlines():
        whole, _, short = line.partition("|")
        if whole.strip():
            lines.append((frozenset(whole.split()), frozenset(short.split())))
    return tuple(lines)


def _by_name() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for number, (whole, short) in enumerate(GROUPS):
        for name in sorted(whole | short):
            found[name] = (*found.get(name, ()), number)
    return found


GROUPS = _read()
"""For each name: its spellings, and its short forms."""
GROUPS_OF = _by_name()
"""The numbers of the groups that a name stands in, whole or short."""
ROOTS = tuple(line.split()[0] for line in _NAMES.strip().splitlines() if line.partition("|")[0].strip())
"""The spelling that stands for each group."""
COMMON_GIVEN = frozenset(_COMMON_GIVEN.split())
COMMON_FAMILY = frozenset(_COMMON_FAMILY.split())
