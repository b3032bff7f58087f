/* SPDX-License-Identifier: MIT */
/* Constants of src/kernel/math64.inc.h and erfinv.inc.h, written by tools/make_math64_tables.py: do not
 * edit. "Derived" means recomputed from the formula at 300 bits; "data" means taken as a fact from the
 * libm of x86-64 glibc 2.36, since a minimax fit or a search for breakpoints follows from no formula. */

/* {sin hi, sin lo, cos hi, cos lo} of k/128. High parts derived; low parts data, equal
 * to the derived ones but for some last bits, at most 2^-104 of the value. */
static const double fanin_sincos_table[110][4] = {
    {0.0, 0.0, 0x1p+0, 0.0},
    {0x1.fffeaaaaeeeefp-8, -0x1.e45e2ec67b77cp-62, 0x1.fffc000155552p-1, 0x1.f4a01a0196daep-55},
    {0x1.fffaaaaeeeed5p-7, -0x1.2ab639a9f0777p-63, 0x1.fff000155549fp-1, 0x1.28a28a03a5ef3p-55},
    {0x1.7ff7001033255p-6, 0x1.efe2b51527336p-64, 0x1.ffdc006bff7e6p-1, 0x1.ae6dae86977bdp-55},
    {0x1.ffeaaaeeee86fp-6, -0x1.cd406fb224ae2p-60, 0x1.ffc00155527d3p-1, -0x1.3b54492d89b5bp-55},
    {0x1.3feb2b12d45d5p-5, 0x1.4ec54203d1c11p-60, 0x1.ff9c03414a7bap-1, 0x1.991f4be6c59bfp-57},
    {0x1.7fdc01032fba9p-5, -0x1.599bdf46e997ap-59, 0x1.ff7006bfdf99fp-1, -0x1.8b3b560648d5fp-56},
    {0x1.bfc6d78586dacp-5, 0x1.8e4fd03dbf236p-62, 0x1.ff3c0c8103a31p-1, 0x1.4856dbddc0e66p-56},
    {0x1.ffaaaeeed4edbp-5, -0x1.2d16d32684b69p-59, 0x1.ff0015549f4d3p-1, 0x1.328387b99426fp-55},
    {0x1.1fc343d808befp-4, -0x1.f3d32e6f3be4fp-58, 0x1.febc222a8ef9fp-1, 0x1.7934934f54c77p-58},
    {0x1.3facb12d1755bp-4, -0x1.921915299468cp-58, 0x1.fe7034129ef6fp-1, -0x1.cbf4337c96f97p-57},
    {0x1.5f911fd10b737p-4, -0x1.0184f02be9102p-58, 0x1.fe1c4c3c873ebp-1, -0x1.5a9c9057c4a02p-60},
    {0x1.7f701032550e4p-4, 0x1.afc2d1800501ap-60, 0x1.fdc06bf7e6b9bp-1, 0x1.31902b535f8dbp-55},
    {0x1.9f4902d55d1f9p-4, 0x1.2696d7eac1dc1p-58, 0x1.fd5c94b43ep-1, -0x1.2e768cb4f92f9p-57},
    {0x1.bf1b78568391dp-4, 0x1.e91841dea4cc8p-58, 0x1.fcf0c800e99b1p-1, 0x1.ea3d786d186acp-57},
    {0x1.dee6f16c1cce6p-4, -0x1.50f8e2fb71673p-59, 0x1.fc7d078d1bc88p-1, 0x1.075d2447db685p-55},
    {0x1.feaaeee86ee36p-4, -0x1.afcb2bcc6f03bp-59, 0x1.fc015527d5bd3p-1, 0x1.b68f35094efb8p-55},
    {0x1.0f3378ddd71d1p-3, 0x1.d8468724f0f9ep-57, 0x1.fb7db2bfe0695p-1, 0x1.21dadf4f65ab1p-55},
    {0x1.1f0d3d7afceafp-3, -0x1.6ef95099769a5p-57, 0x1.faf22263c4bd3p-1, -0x1.52ace133a2769p-58},
    {0x1.2ee285e4ab88fp-3, -0x1.e4d0f05dee058p-57, 0x1.fa5ea641c36f2p-1, 0x1.04da6ed17cc7cp-59},
    {0x1.3eb312c5d66cbp-3, 0x1.47d666b66cb91p-57, 0x1.f9c340a7cc428p-1, 0x1.c5b6b063b7462p-55},
    {0x1.4e7ea4dc5f27bp-3, 0x1.949db2ac072fcp-58, 0x1.f91ff40374d01p-1, -0x1.7d03f4d3a9e4cp-57},
    {0x1.5e44fcfa126f3p-3, -0x1.6f443063f89b6p-57, 0x1.f874c2e1eecf6p-1, -0x1.c6514e1332b16p-55},
    {0x1.6e05dc05a4d4cp-3, -0x1.32c5c8b81c94p-66, 0x1.f7c1afeffde24p-1, -0x1.8f55bc47540b1p-56},
    {0x1.7dc102fbaf2b5p-3, 0x1.5ab50e23c97c3p-59, 0x1.f706bdf9ece1cp-1, -0x1.698c80c36dcb4p-55},
    {0x1.8d7632efaa944p-3, -0x1.20fa262cbb953p-57, 0x1.f643efeb82acdp-1, 0x1.6b00ac1fe28acp-56},
    {0x1.9d252d0cec312p-3, 0x1.9c43d80b1137dp-58, 0x1.f57948cff6797p-1, 0x1.e3a0d3e03b1d5p-57},
    {0x1.accdb297a0765p-3, -0x1.9883b57d6cdebp-58, 0x1.f4a6cbd1e3a79p-1, 0x1.13df0edaebb57p-55},
    {0x1.bc6f84edc6199p-3, 0x1.9c1a56a7b0cabp-57, 0x1.f3cc7c3b3d16ep-1, -0x1.21a3ad28a3494p-57},
    {0x1.cc0a6588289a3p-3, -0x1.868d09bc87c6bp-57, 0x1.f2ea5d753ffedp-1, 0x1.cc4215f56d583p-55},
    {0x1.db9e15fb5a5dp-3, -0x1.32e20d6cc6fc2p-57, 0x1.f20073086649fp-1, 0x1.b940416c1984bp-56},
    {0x1.eb2a57f8ae5a3p-3, -0x1.0be06af572cebp-57, 0x1.f10ec09c5873bp-1, 0x1.d9072762c1283p-55},
    {0x1.faaeed4f31577p-3, -0x1.15d88508e32b8p-57, 0x1.f01549f7deea1p-1, 0x1.d3c1e99e5cafdp-55},
    {0x1.0515cbf65155cp-2, -0x1.9b8c29dfd8ec8p-56, 0x1.ef141300d2f26p-1, -0x1.2aa1b08ded372p-55},
    {0x1.0cd00cef36436p-2, -0x1.9fb0a0c93e2b5p-56, 0x1.ee0b1fbc0f11cp-1, -0x1.bfd2380bbc3b1p-59},
    {0x1.14861aa94ddebp-2, -0x1.be881b5b615a4p-57, 0x1.ecfa744d5efa1p-1, -0x1.56d0a4af541dp-58},
    {0x1.1c37d64c6b876p-2, 0x1.46076fe0dcff5p-56, 0x1.ebe214f76efa8p-1, -0x1.02f9f12ba543ep-55},
    {0x1.23e52111aaf36p-2, -0x1.4f080334eff18p-56, 0x1.eac2061bbaf4fp-1, 0x1.2c1d53e94658dp-57},
    {0x1.2b8ddc43eb49fp-2, 0x1.1553899f2d807p-57, 0x1.e99a4c3a7cd83p-1, -0x1.2264b1bc53ce8p-55},
    {0x1.3331e94049f87p-2, 0x1.e0cb6b40c302cp-56, 0x1.e86aebf29a9edp-1, 0x1.9397afdbb58a7p-55},
    {0x1.3ad129769d3d8p-2, 0x1.03d5504878398p-63, 0x1.e733ea0193d4p-1, -0x1.6428b3546ce13p-55},
    {0x1.426b7e69ee697p-2, -0x1.f09c75705c59fp-56, 0x1.e5f54b436e9dp-1, 0x1.7eb0fd02fc8bcp-55},
    {0x1.4a00c9b0f3d2p-2, 0x1.823ba6bb08eadp-56, 0x1.e4af14b2a449cp-1, -0x1.68ca02e8a6833p-55},
    {0x1.5190ecf68a77ap-2, 0x1.b357155eef0f3p-56, 0x1.e3614b680d6a5p-1, -0x1.27793aa015237p-56},
    {0x1.591bc9fa2f597p-2, 0x1.7c74bac3fe0cbp-57, 0x1.e20bf49acd6c1p-1, -0x1.660aec7ef636cp-58},
    {0x1.60a1429078775p-2, 0x1.b1fd80ba89133p-58, 0x1.e0af15a03dbcep-1, 0x1.fe8e702771ae6p-58},
    {0x1.682138a38d7f7p-2, -0x1.d889202444aadp-56, 0x1.df4ab3ebd875ep-1, -0x1.e2d8a7e6736c4p-55},
    {0x1.6f9b8e33a0255p-2, 0x1.42bc14ee9da0dp-56, 0x1.ddded50f228d6p-1, -0x1.e80c8d42ba2bfp-57},
    {0x1.7710255764214p-2, -0x1.6ead7314bb6cep-57, 0x1.dc6b7eb995912p-1, 0x1.4b364776dcd35p-58},
    {0x1.7e7ee03c86d4ep-2, -0x1.b63bcdabf5af2p-56, 0x1.daf0b6b888e83p-1, 0x1.a249e2b5e5ceap-55},
    {0x1.85e7a12826949p-2, 0x1.8a40e9b5facep-56, 0x1.d96e82f71a9dcp-1, 0x1.ff61bd5d2039dp-55},
    {0x1.8d4a4a774992fp-2, 0x1.44a02ea766326p-56, 0x1.d7e4e97e17b4ap-1, -0x1.3b770352bed94p-57},
    {0x1.94a6be9f546c5p-2, -0x1.69ce13e683f58p-56, 0x1.d653f073e404p-1, -0x1.76236434bec37p-55},
    {0x1.9bfce02e8051p-2, 0x1.09e39a320b0a4p-56, 0x1.d4bb9e1c619ep-1, 0x1.f34bb77858f61p-55},
    {0x1.a34c91cc50ccap-2, -0x1.a310e3b50cecdp-58, 0x1.d31bf8d8d7c06p-1, 0x1.e60dd3089cbddp-56},
    {0x1.aa95b63a09277p-2, -0x1.6293eb13c0381p-57, 0x1.d1750727d94fp-1, 0x1.0d52b1ec1a48ep-55},
    {0x1.b1d8305321617p-2, -0x1.ae242cb99f519p-56, 0x1.cfc6cfa52ad9fp-1, 0x1.8b5b5508f2a0dp-55},
    {0x1.b913e30dbac43p-2, -0x1.e38ad2f6c3ff1p-56, 0x1.ce115909a82e5p-1, 0x1.1f139bb31109ap-55},
    {0x1.c048b17b140a3p-2, 0x1.19fe6757e9fa7p-57, 0x1.cc54aa2b2972ep-1, 0x1.4ee162ba83a98p-57},
    {0x1.c7767ec7fd19ep-2, -0x1.eb14d1a3d5826p-58, 0x1.ca90c9fc67d0bp-1, -0x1.46a81485e3462p-57},
    {0x1.ce9d2e3d4a51fp-2, -0x1.2fc8a12dae298p-57, 0x1.c8c5bf8ce1a84p-1, 0x1.ab3d1a1590123p-56},
    {0x1.d5bca34047661p-2, 0x1.28a44a75fc29cp-56, 0x1.c6f39208be53bp-1, -0x1.741dbfbaadb42p-55},
    {0x1.dcd4c15329c9ap-2, 0x1.0d4c6e171fd9ap-56, 0x1.c51a48b8b175ep-1, -0x1.1bbb43b9aa88p-57},
    {0x1.e3e56c1582a69p-2, -0x1.0a4821099f88fp-58, 0x1.c339eb01ddd81p-1, -0x1.caaf5ee82c5cp-55},
    {0x1.eaee8744b05fp-2, -0x1.789b43c9b027dp-58, 0x1.c1528065b7d5p-1, -0x1.892111312e828p-55},
    {0x1.f1eff6bc4f97bp-2, 0x1.17212f8a7525cp-56, 0x1.bf641081e7536p-1, 0x1.b7bd71628a9a1p-55},
    {0x1.f8e99e76abc97p-2, 0x1.9d950af2d00a3p-58, 0x1.bd6ea310294f5p-1, 0x1.31bbcc88c109dp-56},
    {0x1.ffdb628d2f57ap-2, 0x1.f4a992e905b6ap-57, 0x1.bb723fe630f32p-1, 0x1.72bd2452d0a39p-56},
    {0x1.0362939c69955p-1, -0x1.2d8cd78397b01p-55, 0x1.b96eeef58840ep-1, 0x1.45a3cc78fadep-58},
    {0x1.06d3686946e5bp-1, 0x1.3f5ae4538ff1bp-55, 0x1.b764b84b704c2p-1, -0x1.f5848c21b389bp-55},
    {0x1.0a4021e9e1001p-1, -0x1.6f643a13914f6p-55, 0x1.b553a410c104ep-1, 0x1.8ff7947027a16p-58},
    {0x1.0da8b26b5672ep-1, -0x1.a58def0bee909p-55, 0x1.b33bba89c8948p-1, 0x1.ea6a51d1f6ca9p-55},
    {0x1.110d0c4b69c3bp-1, 0x1.d918998809981p-55, 0x1.b11d04162a4c6p-1, 0x1.1dd561efbc0c2p-56},
    {0x1.146d21f8b7f82p-1, 0x1.bf9535e2739a8p-56, 0x1.aef78930bd275p-1, -0x1.f836279746f94p-56},
    {0x1.17c8e5f2eedbp-1, 0x1.35e57102e2488p-57, 0x1.accb526f69de5p-1, 0x1.8fb6a8dd6b6ccp-55},
    {0x1.1b204acb02fddp-1, -0x1.f190c70cbb5ffp-58, 0x1.aa98688308913p-1, -0x1.b83d607cd507p-63},
    {0x1.1e7343236574cp-1, 0x1.22a3fa4f41d5ap-56, 0x1.a85ed4373e02dp-1, 0x1.9be06385ec792p-57},
    {0x1.21c1c1b0394cfp-1, 0x1.e5b324b23aa31p-58, 0x1.a61e9e72586afp-1, 0x1.58330e2fd453fp-55},
    {0x1.250bb93788bbbp-1, 0x1.ea3d02457bccep-56, 0x1.a3d7d0352bdcfp-1, -0x1.68dbaeca19669p-55},
    {0x1.28511c917a067p-1, -0x1.01df1d9a16b7p-55, 0x1.a18a729aee445p-1, 0x1.95e25736c0358p-60},
    {0x1.2b91dea88421ep-1, -0x1.fa371db216abp-55, 0x1.9f368ed912f85p-1, -0x1.1d200c5791606p-55},
    {0x1.2ecdf279a3082p-1, 0x1.d3557e0e7e37ep-55, 0x1.9cdc2e3f25e5cp-1, 0x1.3f99112993f62p-55},
    {0x1.32054b148bc4fp-1, 0x1.f6b42095a135bp-55, 0x1.9a7b5a36a6514p-1, 0x1.722cfcc9fa7a9p-55},
    {0x1.3537db9be0367p-1, 0x1.b327e7af040fp-57, 0x1.98141c42e131p-1, 0x1.d1ff80488f08dp-55},
    {0x1.386597456282bp-1, -0x1.10fada93b07a8p-56, 0x1.95a67e00cb1fdp-1, -0x1.0befda21f862dp-55},
    {0x1.3b8e715a2840ap-1, -0x1.97653a7d2f07bp-56, 0x1.93328926d9e92p-1, -0x1.bb77003600cdap-55},
    {0x1.3eb25d36cd53ap-1, -0x1.be570e1570fcp-58, 0x1.90b84784ddaf7p-1, -0x1.0feb10ab93b87p-56},
    {0x1.41d14e4ba679p-1, 0x1.4608fd287ecf5p-55, 0x1.8e37c303d9ad1p-1, -0x1.463a4b53d4bf8p-57},
    {0x1.44eb381cf386bp-1, -0x1.3ed6c1e6a5505p-55, 0x1.8bb105a5dc9p-1, 0x1.863e03e9474c1p-55},
    {0x1.48000e431159fp-1, -0x1.b194a7463ed1p-55, 0x1.89241985d871fp-1, 0x1.c48d9c413ed84p-55},
    {0x1.4b0fc46aab761p-1, 0x1.0da05738cc59ap-61, 0x1.869108d77a6c6p-1, 0x1.338ffe2bfe9ddp-56},
    {0x1.4e1a4e54ed51bp-1, -0x1.a492f89b7c76ap-55, 0x1.83f7dde701cap-1, -0x1.152cf609bc6e8p-59},
    {0x1.511f9fd7b351cp-1, -0x1.5c0e861c48831p-55, 0x1.8158a31916d5dp-1, -0x1.de8b90b8228dep-57},
    {0x1.541facddbb724p-1, 0x1.232c28520d391p-56, 0x1.7eb362eaa1488p-1, 0x1.a1d65a4a5959fp-58},
    {0x1.571a6966d59b3p-1, 0x1.c843b4d0fb198p-58, 0x1.7c0827f09e54fp-1, -0x1.c73d6d72aee68p-57},
    {0x1.5a0fc98813a12p-1, -0x1.d82e2b7d4227bp-55, 0x1.7956fcd7f6543p-1, -0x1.ab276e9d45ae4p-55},
    {0x1.5cffc16bf8f0dp-1, 0x1.96cb370eb578ap-55, 0x1.769fec655211fp-1, -0x1.827d5cf8c68c5p-57},
    {0x1.5fea4552a9e57p-1, 0x1.0b6cef7ee20b7p-55, 0x1.73e30174efba1p-1, -0x1.5d3ae3d94ad5fp-57},
    {0x1.62cf49921ac79p-1, -0x1.edd9855b6241ap-55, 0x1.712046fa77678p-1, 0x1.425b0a5029c81p-55},
    {0x1.65aec2963e755p-1, 0x1.126f96b71053cp-55, 0x1.6e57c800cf55ep-1, 0x1.60286dedbd0a6p-55},
    {0x1.6888a4e134b2fp-1, -0x1.6b7d37644d5e6p-55, 0x1.6b898fa9efb5dp-1, 0x1.15ac786ccf4b2p-56},
    {0x1.6b5ce50b7821ap-1, -0x1.5d5158f702e0fp-57, 0x1.68b5a92eb6253p-1, -0x1.9a91ad985f89cp-55},
    {0x1.6e2b77c40bde1p-1, -0x1.0e729857fad53p-56, 0x1.65dc1fdeb8cbap-1, -0x1.97c1b47337c77p-58},
    {0x1.70f451d0a8c4p-1, 0x1.97ede3885770dp-57, 0x1.62fcff20191c7p-1, 0x1.d9143895756efp-57},
    {0x1.73b7680dea578p-1, -0x1.2248306dc12a2p-56, 0x1.6018526f563dfp-1, 0x1.46ca5e0e432dp-55},
    {0x1.7674af6f7b524p-1, 0x1.e9d3f94ac84a8p-56, 0x1.5d2e255f1f17ap-1, 0x1.0314104c8892bp-55},
    {0x1.792c1d0041d52p-1, -0x1.abf05eeb354ebp-55, 0x1.5a3e839824077p-1, 0x1.428aa2759be62p-55},
    {0x1.7bdda5e28b3c2p-1, 0x1.ad1197ccd0393p-59, 0x1.574978d8e83f2p-1, 0x1.f4714af282d23p-55},
    {0x1.7e893f5037959p-1, 0x1.0eefbaa650c4cp-55, 0x1.544f10f592ca5p-1, -0x1.e7ae8e6c7a62fp-55},
    {0x1.812ede9ae4ba4p-1, -0x1.7830adf402ddap-55, 0x1.514f57d7bf3dap-1, 0x1.47a108073c259p-56},
};

/* {1/c, log c}, c near the middle of the i-th of 128 parts of [0x1.6p-1, 0x1.6p0). 1/c
 * is data: each was picked among neighbours for a log c close to a multiple of 2^-43. log c is derived:
 * -log of the stored 1/c, rounded to that grid. */
static const double fanin_log_table[128][2] = {
    {0x1.734f0c3e0de9fp+0, -0x1.7cc7f79e69p-2},  {0x1.713786a2ce91fp+0, -0x1.76feec20dp-2},
    {0x1.6f26008fab5ap+0, -0x1.713e31351ep-2},   {0x1.6d1a61f138c7dp+0, -0x1.6b85b382878p-2},
    {0x1.6b1490bc5b4d1p+0, -0x1.65d55908078p-2}, {0x1.69147332f0cbap+0, -0x1.602d07618p-2},
    {0x1.6719f18224223p+0, -0x1.5a8ca86909p-2},  {0x1.6524f99a51ed9p+0, -0x1.54f4356035p-2},
    {0x1.63356aa8f24c4p+0, -0x1.4f637c36b4p-2},  {0x1.614b36b9ddc14p+0, -0x1.49da7fda85p-2},
    {0x1.5f66452c65c4cp+0, -0x1.445923989a8p-2}, {0x1.5d867b5912c4fp+0, -0x1.3edf439b0b8p-2},
    {0x1.5babccb5b90dep+0, -0x1.396ce448f7p-2},  {0x1.59d61f2d91a78p+0, -0x1.3401e17bdap-2},
    {0x1.5805612465687p+0, -0x1.2e9e2ef468p-2},  {0x1.56397cee76bd3p+0, -0x1.2941b3830ep-2},
    {0x1.54725e2a77f93p+0, -0x1.23ec58cda88p-2}, {0x1.52aff42064583p+0, -0x1.1e9e129279p-2},
    {0x1.50f22dbb2bddfp+0, -0x1.1956d2b48f8p-2}, {0x1.4f38f4734ded7p+0, -0x1.141679ab9f8p-2},
    {0x1.4d843cfde284p+0, -0x1.0edd094ef98p-2},  {0x1.4bd3ec078a3c8p+0, -0x1.09aa518db1p-2},
    {0x1.4a27fc3e0258ap+0, -0x1.047e65263b8p-2}, {0x1.4880524d48434p+0, -0x1.feb224586fp-3},
    {0x1.46dce1b192d0bp+0, -0x1.f474a7517bp-3},  {0x1.453d9d3391854p+0, -0x1.ea4443d103p-3},
    {0x1.43a2744b4845ap+0, -0x1.e020d44e9bp-3},  {0x1.420b54115f8fbp+0, -0x1.d60a22977fp-3},
    {0x1.40782da3ef4b1p+0, -0x1.cc00104959p-3},  {0x1.3ee8f5d57fe8fp+0, -0x1.c202956891p-3},
    {0x1.3d5d9a00b4ce9p+0, -0x1.b81178d811p-3},  {0x1.3bd60c010c12bp+0, -0x1.ae2c9ccd3dp-3},
    {0x1.3a5242b75dab8p+0, -0x1.a45402e129p-3},  {0x1.38d22cd9fd002p+0, -0x1.9a877681dfp-3},
    {0x1.3755bc5847a1cp+0, -0x1.90c6d69483p-3},  {0x1.35dce49ad36e2p+0, -0x1.87120a645cp-3},
    {0x1.34679984dd44p+0, -0x1.7d68fb4143p-3},   {0x1.32f5cceffcb24p+0, -0x1.73cb83c627p-3},
    {0x1.3187775a10d49p+0, -0x1.6a39a9b376p-3},  {0x1.301c8373e399p+0, -0x1.60b3154b7ap-3},
    {0x1.2eb4ebb95f841p+0, -0x1.5737d76243p-3},  {0x1.2d50a0219a9d1p+0, -0x1.4dc7b8fc23p-3},
    {0x1.2bef9a8b7fd2ap+0, -0x1.4462c51d2p-3},   {0x1.2a91c7a0c1babp+0, -0x1.3b08abc83p-3},
    {0x1.293726014b53p+0, -0x1.31b996b49p-3},    {0x1.27dfa5757a1f5p+0, -0x1.2875490a44p-3},
    {0x1.268b39b1d3bbfp+0, -0x1.1f3b9f879ap-3},  {0x1.2539d838ff5bdp+0, -0x1.160c8252cap-3},
    {0x1.23eb7aac9083bp+0, -0x1.0ce7f57f72p-3},  {0x1.22a012ba940b6p+0, -0x1.03cdc49feap-3},
    {0x1.2157996cc4132p+0, -0x1.f57bdbc4b8p-4},  {0x1.201201dd2fc9bp+0, -0x1.e370896404p-4},
    {0x1.1ecf4494d480bp+0, -0x1.d17983ef94p-4},  {0x1.1d8f5528f6569p+0, -0x1.bf9674ed8ap-4},
    {0x1.1c52311577e7cp+0, -0x1.adc79202f6p-4},  {0x1.1b17c74cb26e9p+0, -0x1.9c0c3e7288p-4},
    {0x1.19e010c2c1ab6p+0, -0x1.8a646b372cp-4},  {0x1.18ab07bb670bdp+0, -0x1.78d01b3acp-4},
    {0x1.1778a25efbcb6p+0, -0x1.674f14538p-4},   {0x1.1648d354c31dap+0, -0x1.55e0e6d878p-4},
    {0x1.151b990275fddp+0, -0x1.4485cdea1ep-4},  {0x1.13f0ea432d24cp+0, -0x1.333d94d6aap-4},
    {0x1.12c8b7210f9dap+0, -0x1.22079f8c56p-4},  {0x1.11a3028ecb531p+0, -0x1.10e4698622p-4},
    {0x1.107fbda8434afp+0, -0x1.ffa6c6ad2p-5},   {0x1.0f5ee0f4e6bb3p+0, -0x1.dda8d4a774p-5},
    {0x1.0e4065d2a9fcep+0, -0x1.bbcece485p-5},   {0x1.0d244632ca521p+0, -0x1.9a1894012cp-5},
    {0x1.0c0a77ce2981ap+0, -0x1.788583302cp-5},  {0x1.0af2f83c636d1p+0, -0x1.5715e67d68p-5},
    {0x1.09ddb98a01339p+0, -0x1.35c8a49658p-5},  {0x1.08cabaf52e7dfp+0, -0x1.149e364154p-5},
    {0x1.07b9f2f4e28fbp+0, -0x1.e72c082eb8p-6},  {0x1.06ab58c358f19p+0, -0x1.a55f152528p-6},
    {0x1.059eea5ecf92cp+0, -0x1.63d62cf818p-6},  {0x1.04949cdd12c9p+0, -0x1.228fb8caap-6},
    {0x1.038c6c6f0ada9p+0, -0x1.c317b20f9p-7},   {0x1.02865137932a9p+0, -0x1.419355daap-7},
    {0x1.0182427ea7348p+0, -0x1.81203c2ecp-8},   {0x1.008040614b195p+0, -0x1.004097924p-9},
    {0x1.fe01ff726fa1ap-1, 0x1.feff3849p-9},     {0x1.fa11cc261ea74p-1, 0x1.7dc41353dp-7},
    {0x1.f6310b081992ep-1, 0x1.3cea3c4c28p-6},   {0x1.f25f63ceeadcdp-1, 0x1.b9fc11489p-6},
    {0x1.ee9c8039113e7p-1, 0x1.1b0d8ce11p-5},    {0x1.eae8078cbb1abp-1, 0x1.58a5bd001cp-5},
    {0x1.e741aa29d0c9bp-1, 0x1.95c8340d88p-5},   {0x1.e3a91830a99b5p-1, 0x1.d276aef578p-5},
    {0x1.e01e009609a56p-1, 0x1.07598e598cp-4},   {0x1.dca01e577bb98p-1, 0x1.253f5e30d2p-4},
    {0x1.d92f20b7c9103p-1, 0x1.42edd8b38p-4},    {0x1.d5cac66fb5ccep-1, 0x1.606598757cp-4},
    {0x1.d272caa5ede9dp-1, 0x1.7da76356ap-4},    {0x1.cf26e3e6b2ccdp-1, 0x1.9ab434e1c6p-4},
    {0x1.cbe6da2a77902p-1, 0x1.b78c7bb0d6p-4},   {0x1.c8b266d37086dp-1, 0x1.d431332e72p-4},
    {0x1.c5894bd5d5804p-1, 0x1.f0a3171de6p-4},   {0x1.c26b533bb9f8cp-1, 0x1.067152b914p-3},
    {0x1.bf583eeece73fp-1, 0x1.147858292bp-3},   {0x1.bc4fd75db96c1p-1, 0x1.2266ecdca3p-3},
    {0x1.b951e0c864a28p-1, 0x1.303d7a6c55p-3},   {0x1.b65e2c5ef3e2cp-1, 0x1.3dfc33c331p-3},
    {0x1.b374867c9888bp-1, 0x1.4ba366b7a8p-3},   {0x1.b094b211d304ap-1, 0x1.5933928d1fp-3},
    {0x1.adbe885f2ef7ep-1, 0x1.66acd2418fp-3},   {0x1.aaf1d31603da2p-1, 0x1.740f8ec669p-3},
    {0x1.a82e63fd358a7p-1, 0x1.815c0f51afp-3},   {0x1.a5740ef09738bp-1, 0x1.8e92954f68p-3},
    {0x1.a2c2a90ab4b27p-1, 0x1.9bb3602f84p-3},   {0x1.a01a01393f2d1p-1, 0x1.a8bed1c2cp-3},
    {0x1.9d79f24db3c1bp-1, 0x1.b5b515c01dp-3},   {0x1.9ae2505c7b19p-1, 0x1.c2967ccbccp-3},
    {0x1.9852ef297ce2fp-1, 0x1.cf635d5486p-3},   {0x1.95cbaeea44b75p-1, 0x1.dc1bd3446cp-3},
    {0x1.934c69de74838p-1, 0x1.e8c01b8cfep-3},   {0x1.90d4f2f6752e6p-1, 0x1.f5509c0179p-3},
    {0x1.8e6528effd79dp-1, 0x1.00e6c121fb8p-2},  {0x1.8bfce9fcc007cp-1, 0x1.071b80e93dp-2},
    {0x1.899c0dabec30ep-1, 0x1.0d46b9e867p-2},   {0x1.87427aa2317fbp-1, 0x1.13687334bdp-2},
    {0x1.84f00acb39a08p-1, 0x1.1980d672348p-2},  {0x1.82a49e8653e55p-1, 0x1.1f8ffe0cc8p-2},
    {0x1.8060195f4026p-1, 0x1.2595fd76368p-2},   {0x1.7e22563e0a329p-1, 0x1.2b9300914a8p-2},
    {0x1.7beb377dcb5adp-1, 0x1.3187210436p-2},   {0x1.79baa679725c2p-1, 0x1.377266dec18p-2},
    {0x1.77907f2170657p-1, 0x1.3d54ffbaf3p-2},   {0x1.756cadbd6130cp-1, 0x1.432eee32fep-2},
};

/* log(1+r) - r = r^2 (A0 + A1 r + ...), |r| < 2^-8. Data. */
static const double fanin_log_poly[5] = {
    -0x1.0000000000001p-1, 0x1.555555551305bp-2, -0x1.fffffffeb459p-3, 0x1.999b324f10111p-3, -0x1.55575e506c89fp-3,
};

/* the same on [1-2^-4, 1+0x1.09p-4). Data. */
static const double fanin_log_near1[11] = {
    -0x1p-1,
    0x1.5555555555577p-2,
    -0x1.ffffffffffdcbp-3,
    0x1.999999995dd0cp-3,
    -0x1.55555556745a7p-3,
    0x1.24924a344de3p-3,
    -0x1.fffffa4423d65p-4,
    0x1.c7184282ad6cap-4,
    -0x1.999eb43b068ffp-4,
    0x1.78182f7afd085p-4,
    -0x1.5521375d145cdp-4,
};

/* log(1+f) - log(1-f) as in fdlibm: R(s^2) = L1 z + L2 z^2 + ... Data. */
static const double fanin_log1p_poly[7] = {
    0x1.5555555555593p-1, 0x1.999999997fa04p-2, 0x1.2492494229359p-2, 0x1.c71c51d8e78afp-3,
    0x1.7466496cb03dep-3, 0x1.39a09d078c69fp-3, 0x1.2f112df3e5244p-3,
};

/* {relative error of T, bits of T minus i*2^45}, T = 2^(i/128). Derived. */
static const uint64_t fanin_exp_table[128][2] = {
    {0x0000000000000000, 0x3ff0000000000000}, {0x3c9b3b4f1a88bf6e, 0x3feff63da9fb3335},
    {0xbc7160139cd8dc5d, 0x3fefec9a3e778061}, {0xbc905e7a108766d1, 0x3fefe315e86e7f85},
    {0x3c8cd2523567f613, 0x3fefd9b0d3158574}, {0xbc8bce8023f98efa, 0x3fefd06b29ddf6de},
    {0x3c60f74e61e6c861, 0x3fefc74518759bc8}, {0x3c90a3e45b33d399, 0x3fefbe3ecac6f383},
    {0x3c979aa65d837b6d, 0x3fefb5586cf9890f}, {0x3c8eb51a92fdeffc, 0x3fefac922b7247f7},
    {0x3c3ebe3d702f9cd1, 0x3fefa3ec32d3d1a2}, {0xbc6a033489906e0b, 0x3fef9b66affed31b},
    {0xbc9556522a2fbd0e, 0x3fef9301d0125b51}, {0xbc5080ef8c4eea55, 0x3fef8abdc06c31cc},
    {0xbc91c923b9d5f416, 0x3fef829aaea92de0}, {0x3c80d3e3e95c55af, 0x3fef7a98c8a58e51},
    {0xbc801b15eaa59348, 0x3fef72b83c7d517b}, {0xbc8f1ff055de323d, 0x3fef6af9388c8dea},
    {0x3c8b898c3f1353bf, 0x3fef635beb6fcb75}, {0xbc96d99c7611eb26, 0x3fef5be084045cd4},
    {0x3c9aecf73e3a2f60, 0x3fef54873168b9aa}, {0xbc8fe782cb86389d, 0x3fef4d5022fcd91d},
    {0x3c8a6f4144a6c38d, 0x3fef463b88628cd6}, {0x3c807a05b0e4047d, 0x3fef3f49917ddc96},
    {0x3c968efde3a8a894, 0x3fef387a6e756238}, {0x3c875e18f274487d, 0x3fef31ce4fb2a63f},
    {0x3c80472b981fe7f2, 0x3fef2b4565e27cdd}, {0xbc96b87b3f71085e, 0x3fef24dfe1f56381},
    {0x3c82f7e16d09ab31, 0x3fef1e9df51fdee1}, {0xbc3d219b1a6fbffa, 0x3fef187fd0dad990},
    {0x3c8b3782720c0ab4, 0x3fef1285a6e4030b}, {0x3c6e149289cecb8f, 0x3fef0cafa93e2f56},
    {0x3c834d754db0abb6, 0x3fef06fe0a31b715}, {0x3c864201e2ac744c, 0x3fef0170fc4cd831},
    {0x3c8fdd395dd3f84a, 0x3feefc08b26416ff}, {0xbc86a3803b8e5b04, 0x3feef6c55f929ff1},
    {0xbc924aedcc4b5068, 0x3feef1a7373aa9cb}, {0xbc9907f81b512d8e, 0x3feeecae6d05d866},
    {0xbc71d1e83e9436d2, 0x3feee7db34e59ff7}, {0xbc991919b3ce1b15, 0x3feee32dc313a8e5},
    {0x3c859f48a72a4c6d, 0x3feedea64c123422}, {0xbc9312607a28698a, 0x3feeda4504ac801c},
    {0xbc58a78f4817895b, 0x3feed60a21f72e2a}, {0xbc7c2c9b67499a1b, 0x3feed1f5d950a897},
    {0x3c4363ed60c2ac11, 0x3feece086061892d}, {0x3c9666093b0664ef, 0x3feeca41ed1d0057},
    {0x3c6ecce1daa10379, 0x3feec6a2b5c13cd0}, {0x3c93ff8e3f0f1230, 0x3feec32af0d7d3de},
    {0x3c7690cebb7aafb0, 0x3feebfdad5362a27}, {0x3c931dbdeb54e077, 0x3feebcb299fddd0d},
    {0xbc8f94340071a38e, 0x3feeb9b2769d2ca7}, {0xbc87deccdc93a349, 0x3feeb6daa2cf6642},
    {0xbc78dec6bd0f385f, 0x3feeb42b569d4f82}, {0xbc861246ec7b5cf6, 0x3feeb1a4ca5d920f},
    {0x3c93350518fdd78e, 0x3feeaf4736b527da}, {0x3c7b98b72f8a9b05, 0x3feead12d497c7fd},
    {0x3c9063e1e21c5409, 0x3feeab07dd485429}, {0x3c34c7855019c6ea, 0x3feea9268a5946b7},
    {0x3c9432e62b64c035, 0x3feea76f15ad2148}, {0xbc8ce44a6199769f, 0x3feea5e1b976dc09},
    {0xbc8c33c53bef4da8, 0x3feea47eb03a5585}, {0xbc845378892be9ae, 0x3feea34634ccc320},
    {0xbc93cedd78565858, 0x3feea23882552225}, {0x3c5710aa807e1964, 0x3feea155d44ca973},
    {0xbc93b3efbf5e2228, 0x3feea09e667f3bcd}, {0xbc6a12ad8734b982, 0x3feea012750bdabf},
    {0xbc6367efb86da9ee, 0x3fee9fb23c651a2f}, {0xbc80dc3d54e08851, 0x3fee9f7df9519484},
    {0xbc781f647e5a3ecf, 0x3fee9f75e8ec5f74}, {0xbc86ee4ac08b7db0, 0x3fee9f9a48a58174},
    {0xbc8619321e55e68a, 0x3fee9feb564267c9}, {0x3c909ccb5e09d4d3, 0x3feea0694fde5d3f},
    {0xbc7b32dcb94da51d, 0x3feea11473eb0187}, {0x3c94ecfd5467c06b, 0x3feea1ed0130c132},
    {0x3c65ebe1abd66c55, 0x3feea2f336cf4e62}, {0xbc88a1c52fb3cf42, 0x3feea427543e1a12},
    {0xbc9369b6f13b3734, 0x3feea589994cce13}, {0xbc805e843a19ff1e, 0x3feea71a4623c7ad},
    {0xbc94d450d872576e, 0x3feea8d99b4492ed}, {0x3c90ad675b0e8a00, 0x3feeaac7d98a6699},
    {0x3c8db72fc1f0eab4, 0x3feeace5422aa0db}, {0xbc65b6609cc5e7ff, 0x3feeaf3216b5448c},
    {0x3c7bf68359f35f44, 0x3feeb1ae99157736}, {0xbc93091fa71e3d83, 0x3feeb45b0b91ffc6},
    {0xbc5da9b88b6c1e29, 0x3feeb737b0cdc5e5}, {0xbc6c23f97c90b959, 0x3feeba44cbc8520f},
    {0xbc92434322f4f9aa, 0x3feebd829fde4e50}, {0xbc85ca6cd7668e4b, 0x3feec0f170ca07ba},
    {0x3c71affc2b91ce27, 0x3feec49182a3f090}, {0x3c6dd235e10a73bb, 0x3feec86319e32323},
    {0xbc87c50422622263, 0x3feecc667b5de565}, {0x3c8b1c86e3e231d5, 0x3feed09bec4a2d33},
    {0xbc91bbd1d3bcbb15, 0x3feed503b23e255d}, {0x3c90cc319cee31d2, 0x3feed99e1330b358},
    {0x3c8469846e735ab3, 0x3feede6b5579fdbf}, {0xbc82dfcd978e9db4, 0x3feee36bbfd3f37a},
    {0x3c8c1a7792cb3387, 0x3feee89f995ad3ad}, {0xbc907b8f4ad1d9fa, 0x3feeee07298db666},
    {0xbc55c3d956dcaeba, 0x3feef3a2b84f15fb}, {0xbc90a40e3da6f640, 0x3feef9728de5593a},
    {0xbc68d6f438ad9334, 0x3feeff76f2fb5e47}, {0xbc91eee26b588a35, 0x3fef05b030a1064a},
    {0x3c74ffd70a5fddcd, 0x3fef0c1e904bc1d2}, {0xbc91bdfbfa9298ac, 0x3fef12c25bd71e09},
    {0x3c736eae30af0cb3, 0x3fef199bdd85529c}, {0x3c8ee3325c9ffd94, 0x3fef20ab5fffd07a},
    {0x3c84e08fd10959ac, 0x3fef27f12e57d14b}, {0x3c63cdaf384e1a67, 0x3fef2f6d9406e7b5},
    {0x3c676b2c6c921968, 0x3fef3720dcef9069}, {0xbc808a1883ccb5d2, 0x3fef3f0b555dc3fa},
    {0xbc8fad5d3ffffa6f, 0x3fef472d4a07897c}, {0xbc900dae3875a949, 0x3fef4f87080d89f2},
    {0x3c74a385a63d07a7, 0x3fef5818dcfba487}, {0xbc82919e2040220f, 0x3fef60e316c98398},
    {0x3c8e5a50d5c192ac, 0x3fef69e603db3285}, {0x3c843a59ac016b4b, 0x3fef7321f301b460},
    {0xbc82d52107b43e1f, 0x3fef7c97337b9b5f}, {0xbc892ab93b470dc9, 0x3fef864614f5a129},
    {0x3c74b604603a88d3, 0x3fef902ee78b3ff6}, {0x3c83c5ec519d7271, 0x3fef9a51fbc74c83},
    {0xbc8ff7128fd391f0, 0x3fefa4afa2a490da}, {0xbc8dae98e223747d, 0x3fefaf482d8e67f1},
    {0x3c8ec3bc41aa2008, 0x3fefba1bee615a27}, {0x3c842b94c3a9eb32, 0x3fefc52b376bba97},
    {0x3c8a64a931d185ee, 0x3fefd0765b6e4540}, {0xbc8e37bae43be3ed, 0x3fefdbfdad9cbe14},
    {0x3c77893b4d91cd9d, 0x3fefe7c1819e90d8}, {0x3c5305c14160cc89, 0x3feff3c22b8f71f1},
};

/* -ln2/128 in two parts. Data. */
static const double fanin_exp_reduce[2] = {
    -0x1.62e42fefap-8,
    -0x1.cf79abc9e3b3ap-47,
};

/* exp(r) - 1 - r = r^2 (C2 + C3 r + ...). Data. */
static const double fanin_exp_poly[4] = {
    0x1.ffffffffffdbdp-2,
    0x1.555555555543cp-3,
    0x1.55555cf172b91p-5,
    0x1.1111167a4d017p-7,
};

/* bits of 2^(i/32) minus i*2^47. Derived. */
static const uint64_t fanin_expf_table[32] = {
    0x3ff0000000000000, 0x3fefd9b0d3158574, 0x3fefb5586cf9890f, 0x3fef9301d0125b51, 0x3fef72b83c7d517b,
    0x3fef54873168b9aa, 0x3fef387a6e756238, 0x3fef1e9df51fdee1, 0x3fef06fe0a31b715, 0x3feef1a7373aa9cb,
    0x3feedea64c123422, 0x3feece086061892d, 0x3feebfdad5362a27, 0x3feeb42b569d4f82, 0x3feeab07dd485429,
    0x3feea47eb03a5585, 0x3feea09e667f3bcd, 0x3fee9f75e8ec5f74, 0x3feea11473eb0187, 0x3feea589994cce13,
    0x3feeace5422aa0db, 0x3feeb737b0cdc5e5, 0x3feec49182a3f090, 0x3feed503b23e255d, 0x3feee89f995ad3ad,
    0x3feeff76f2fb5e47, 0x3fef199bdd85529c, 0x3fef3720dcef9069, 0x3fef5818dcfba487, 0x3fef7c97337b9b5f,
    0x3fefa4afa2a490da, 0x3fefd0765b6e4540,
};

/* 2^(r/32) - 1, highest power first. Data. */
static const double fanin_expf_poly[3] = {
    0x1.c6af84b912394p-20,
    0x1.ebfce50fac4f3p-13,
    0x1.62e42ff0c52d6p-6,
};

/* {1/c, log c} for 16 parts of [0x1.66p-1, 0x1.66p0). 1/c data, log c derived. */
static const double fanin_logf_table[16][2] = {
    {0x1.661ec79f8f3bep+0, -0x1.57bf7808caadep-2}, {0x1.571ed4aaf883dp+0, -0x1.2bef0a7c06ddbp-2},
    {0x1.49539f0f010bp+0, -0x1.01eae7f513a67p-2},  {0x1.3c995b0b80385p+0, -0x1.b31d8a68224e9p-3},
    {0x1.30d190c8864a5p+0, -0x1.6574f0ac07758p-3}, {0x1.25e227b0b8eap+0, -0x1.1aa2bc79c81p-3},
    {0x1.1bb4a4a1a343fp+0, -0x1.a4e76ce8c0e5ep-4}, {0x1.12358f08ae5bap+0, -0x1.1973c5a611cccp-4},
    {0x1.0953f419900a7p+0, -0x1.252f438e10c1ep-5}, {0x1p+0, 0.0},
    {0x1.e608cfd9a47acp-1, 0x1.aa5aa5df25984p-5},  {0x1.ca4b31f026aap-1, 0x1.c5e53aa362eb4p-4},
    {0x1.b2036576afce6p-1, 0x1.526e57720db08p-3},  {0x1.9c2d163a1aa2dp-1, 0x1.bc2860d22477p-3},
    {0x1.886e6037841edp-1, 0x1.1058bc8a07ee1p-2},  {0x1.767dcf5534862p-1, 0x1.4043057b6ee09p-2},
};

/* log(1+r) - r, highest power first. Data. */
static const double fanin_logf_poly[3] = {
    -0x1.00ea348b88334p-2,
    0x1.5575b0be00b6ap-2,
    -0x1.ffffef20a4123p-2,
};

/* sin x = x + s1 x^3 + s2 x^5 + s3 x^7, |x| <= pi/4. Data. */
static const double fanin_sinf_poly[3] = {
    -0x1.555545995a603p-3,
    0x1.1107605230bc4p-7,
    -0x1.994eb3774cf24p-13,
};

/* cos x = c0 + c1 x^2 + ... Data. */
static const double fanin_cosf_poly[5] = {
    0x1p+0, -0x1.ffffffd0c621cp-2, 0x1.55553e1068f19p-5, -0x1.6c087e89a359dp-10, 0x1.99343027bf8c3p-16,
};

/* erf: fdlibm's rational functions (p or r over q or s), lowest power first; the 1 a denominator
 * begins with is stored for float only. small |x| < 27/32, mid < 5/4, near < 1/0.35, far < 6. */

/* double, small_p */
static const double fanin_erf_small_p[5] = {
    0x1.06eba8214db68p-3, -0x1.4cd7d691cb913p-2, -0x1.d2a51dbd7194fp-6, -0x1.7a291236668e4p-8, -0x1.8ead6120016acp-16,
};

/* double, small_q */
static const double fanin_erf_small_q[5] = {
    0x1.97779cddadc09p-2, 0x1.0a54c5536cebap-4, 0x1.4d022c4d36b0fp-8, 0x1.15dc9221c1a1p-13, -0x1.09c4342a2612p-18,
};

/* double, mid_p */
static const double fanin_erf_mid_p[7] = {
    -0x1.359b8bef77538p-9, 0x1.a8d00ad92b34dp-2, -0x1.7d240fbb8c3f1p-2, 0x1.45fca805120e4p-2,
    -0x1.c63983d3e28ecp-4, 0x1.22a36599795ebp-5, -0x1.1bf380a96073fp-9,
};

/* double, mid_q */
static const double fanin_erf_mid_q[6] = {
    0x1.b3e6618eee323p-4, 0x1.14af092eb6f33p-1, 0x1.2635cd99fe9a7p-4,
    0x1.02660e763351fp-3, 0x1.bedc26b51dd1cp-7, 0x1.88b545735151dp-7,
};

/* double, near_r */
static const double fanin_erf_near_r[8] = {
    -0x1.43412600d6435p-7, -0x1.63416e4ba736p-1,  -0x1.51e0441b0e726p+3, -0x1.f300ae4cba38dp+5,
    -0x1.44cb184282266p+7, -0x1.7135cebccabb2p+7, -0x1.4526557e4d2f2p+6, -0x1.3a0efc69ac25cp+3,
};

/* double, near_s */
static const double fanin_erf_near_s[8] = {
    0x1.3a6b9bd707687p+4, 0x1.1350c526ae721p+7, 0x1.b290dd58a1a71p+8, 0x1.42b1921ec2868p+9,
    0x1.ad02157700314p+8, 0x1.b28a3ee48ae2cp+6, 0x1.a47ef8e484a93p+2, -0x1.eeff2ee749a62p-5,
};

/* double, far_r */
static const double fanin_erf_far_r[7] = {
    -0x1.4341239e86f4ap-7, -0x1.993ba70c285dep-1,  -0x1.1c209555f995ap+4, -0x1.4145d43c5ed98p+7,
    -0x1.3ec881375f228p+9, -0x1.004616a2e5992p+10, -0x1.e384e9bdc383fp+8,
};

/* double, far_s */
static const double fanin_erf_far_s[7] = {
    0x1.e568b261d519p+4,   0x1.45cae221b9f0ap+8, 0x1.802eb189d5118p+10, 0x1.8ffb7688c246ap+11,
    0x1.3f219cedf3be6p+11, 0x1.da874e79fe763p+8, -0x1.670e242712d62p+4,
};

/* float, small_p */
static const float fanin_erff_small_p[5] = {
    0x1.06eba8p-3f, -0x1.4cd7d6p-2f, -0x1.d2a51ep-6f, -0x1.7a2912p-8f, -0x1.8ead62p-16f,
};

/* float, small_q */
static const float fanin_erff_small_q[6] = {
    0x1p+0f, 0x1.97779cp-2f, 0x1.0a54c6p-4f, 0x1.4d022cp-8f, 0x1.15dc92p-13f, -0x1.09c434p-18f,
};

/* float, mid_p */
static const float fanin_erff_mid_p[7] = {
    -0x1.359b8cp-9f, 0x1.a8d00ap-2f, -0x1.7d241p-2f, 0x1.45fca8p-2f, -0x1.c63984p-4f, 0x1.22a366p-5f, -0x1.1bf38p-9f,
};

/* float, mid_q */
static const float fanin_erff_mid_q[7] = {
    0x1p+0f, 0x1.b3e662p-4f, 0x1.14af0ap-1f, 0x1.2635cep-4f, 0x1.02660ep-3f, 0x1.bedc26p-7f, 0x1.88b546p-7f,
};

/* float, near_r */
static const float fanin_erff_near_r[8] = {
    -0x1.434126p-7f, -0x1.63416ep-1f, -0x1.51e044p+3f, -0x1.f300aep+5f,
    -0x1.44cb18p+7f, -0x1.7135cep+7f, -0x1.452656p+6f, -0x1.3a0efcp+3f,
};

/* float, near_s */
static const float fanin_erff_near_s[9] = {
    0x1p+0f,        0x1.3a6b9cp+4f, 0x1.1350c6p+7f, 0x1.b290dep+8f,  0x1.42b192p+9f,
    0x1.ad0216p+8f, 0x1.b28a3ep+6f, 0x1.a47ef8p+2f, -0x1.eeff2ep-5f,
};

/* float, far_r */
static const float fanin_erff_far_r[7] = {
    -0x1.434124p-7f, -0x1.993ba8p-1f,  -0x1.1c2096p+4f, -0x1.4145d4p+7f,
    -0x1.3ec882p+9f, -0x1.004616p+10f, -0x1.e384eap+8f,
};

/* float, far_s */
static const float fanin_erff_far_s[8] = {
    0x1p+0f,         0x1.e568b2p+4f,  0x1.45cae2p+8f, 0x1.802eb2p+10f,
    0x1.8ffb76p+11f, 0x1.3f219cp+11f, 0x1.da874ep+8f, -0x1.670e24p+4f,
};

/* {F hi, F lo, g hi, g lo} at c = k/32: F = erf c for k < 16, else
 * erfc c; g = sqrt(pi)/2 exp(c^2). Derived. */
static const double fanin_erfinv_table[189][4] = {
    {0.0, 0.0, 0x1.c5bf891b4ef6bp-1, -0x1.618f13eb7ca89p-55},
    {0x1.20c5645dd2538p-5, -0x1.b1f39547818dcp-63, 0x1.c631072cc0a5ep-1, -0x1.dcf9cbce400dap-56},
    {0x1.207d480e90658p-4, 0x1.4c35c43362a08p-58, 0x1.c7862bcfe1ab4p-1, -0x1.1f173f2564538p-55},
    {0x1.b0081148a873ap-4, -0x1.f00e81462af98p-61, 0x1.c9c0f7fbee798p-1, 0x1.68a9f10767a04p-55},
    {0x1.1f5e1a35c3b89p-3, 0x1.d0b6d6493e0f4p-57, 0x1.cce4c836f73dfp-1, -0x1.21055c76e3e01p-56},
    {0x1.662a0bdf7a89fp-3, -0x1.ef80fee2b133cp-59, 0x1.d0f65d0975141p-1, 0x1.27831606131cap-59},
    {0x1.ac45e37fe2526p-3, 0x1.48d48536c61e3p-57, 0x1.d5fbe6fcd5dbdp-1, 0x1.8a781031e702bp-55},
    {0x1.f190aa85540e2p-3, -0x1.e521a09cb1b7dp-57, 0x1.dbfd164f67b16p-1, -0x1.2c302e30acf59p-57},
    {0x1.1af54e232d609p-2, -0x1.bee921fa4172bp-56, 0x1.e3032e957245dp-1, 0x1.757d2c6830f19p-55},
    {0x1.3c9aa8b84bedap-2, 0x1.38e845397242dp-58, 0x1.eb191e8db0bb3p-1, -0x1.00159ad51f65fp-55},
    {0x1.5da9f415ff23fp-2, -0x1.a72e51e19194bp-59, 0x1.f44b9c7f05f6bp-1, -0x1.b343df27dc819p-57},
    {0x1.7e15944d9d3e4p-2, -0x1.95fdc3865d9b7p-57, 0x1.fea947867a82cp-1, -0x1.3c95acb5c88f1p-55},
    {0x1.9dd0d2b721f39p-2, -0x1.1671c021d14c4p-56, 0x1.05216727d4dfep+0, -0x1.c98e5a3404168p-55},
    {0x1.bccfec24855b8p-2, -0x1.47292aeeaa2fap-56, 0x1.0b958de38d5fdp+0, -0x1.943a13578b612p-55},
    {0x1.db081ce6e2a48p-2, -0x1.7ff0a3296d9ccp-56, 0x1.12bbc537018e3p+0, 0x1.82580e0982b64p-54},
    {0x1.f86faa9428f9dp-2, 0x1.99988b110a612p-56, 0x1.1aa00f890d2c7p+0, -0x1.1829ed75f91adp-55},
    {0x1.eb02147ce245cp-2, -0x1.5e809f1a31a28p-56, 0x1.234fe5e5802a3p+0, -0x1.a26a6e7db5339p-55},
    {0x1.cf54b4058455fp-2, 0x1.c25f65e76ebfbp-57, 0x1.2cda5e20f644p+0, -0x1.f181341d8fa17p-55},
    {0x1.b48eaee924501p-2, 0x1.ab2d71290b7aap-57, 0x1.3750563851d43p+0, 0x1.b3c0540684b28p-54},
    {0x1.9ab5668e4930ap-2, 0x1.96263537d4d65p-57, 0x1.42c4a59975302p+0, -0x1.ae1a06d21e77p-55},
    {0x1.81cd2465e1d96p-2, 0x1.f25f4f6fdf70bp-56, 0x1.4f4c551d6b916p+0, 0x1.76f949f96c05cp-55},
    {0x1.69d91d8a595dap-2, -0x1.e941d89557082p-57, 0x1.5cfede9ad7795p+0, -0x1.965b9cb7ca321p-54},
    {0x1.52db785a98acap-2, -0x1.8eef7012e8df5p-56, 0x1.6bf6751ae076fp+0, 0x1.6f559fc52681p-54},
    {0x1.3cd553f045d45p-2, 0x1.9c088ac2adda2p-57, 0x1.7c5056e3cb6b2p+0, -0x1.baa23b7fe1d4dp-54},
    {0x1.27c6d14c5e341p-2, 0x1.3af3434d0eeabp-57, 0x1.8e2d2abbd8e01p+0, -0x1.40760c147b1a4p-56},
    {0x1.13af1e11be721p-2, 0x1.dcebc8fbc6108p-56, 0x1.a1b169fe1195p+0, 0x1.2557026a192edp-57},
    {0x1.008c80a24ff1p-2, -0x1.66cf14bcad032p-56, 0x1.b705d95aa144ep+0, -0x1.5dea92fcc1692p-54},
    {0x1.dcb8cae2d747fp-3, -0x1.bd5e869177de1p-57, 0x1.ce581266ce737p+0, -0x1.08800c098442ep-55},
    {0x1.ba36dab91c0e9p-3, 0x1.3c896e9a97c59p-58, 0x1.e7db20775690dp+0, 0x1.1af02397703d8p-55},
    {0x1.998af9b56a3aep-3, -0x1.bbc75449567d2p-58, 0x1.01e419d290041p+1, 0x1.4f9ddbd7c92f3p-55},
    {0x1.7aab97a554544p-3, -0x1.a558a46df5f67p-57, 0x1.112fb6a92e921p+1, 0x1.74269d363fab6p-55},
    {0x1.5d8debd20aacep-3, -0x1.d8bf964650884p-59, 0x1.21f4650834a2cp+1, 0x1.a323110179d0bp-53},
    {0x1.4226162fbddd5p-3, -0x1.b40443f6ec34ap-59, 0x1.345a96b43a147p+1, 0x1.aebeb3f2cf6dap-54},
    {0x1.286740c7a7dabp-3, 0x1.0f097c38bc621p-58, 0x1.488fca635beb1p+1, -0x1.c89f62e4b1339p-54},
    {0x1.1043c1086777dp-3, 0x1.91608a4706a42p-58, 0x1.5ec73bd347468p+1, 0x1.13861f91b2e2ep-54},
    {0x1.f35a715b2f3e1p-4, -0x1.311292d7128b5p-58, 0x1.773aae11a7841p+1, 0x1.6385804ae3401p-53},
    {0x1.c9296beb09cf1p-4, -0x1.5224acd170beep-59, 0x1.922b5422c7cf4p+1, -0x1.cab27ef6801a7p-53},
    {0x1.a1d5a5c4edb96p-4, -0x1.a504adde06a59p-59, 0x1.afe2dce77473dp+1, -0x1.dd778ee3457edp-53},
    {0x1.7d3fa69816db5p-4, 0x1.81ace739008b7p-58, 0x1.d0b4a7f8e3892p+1, -0x1.94f6ee429197fp-55},
    {0x1.5b478318ff939p-4, 0x1.59c13f2f751f5p-58, 0x1.f4ff2a2dc8b1p+1, 0x1.e309b88bd06dfp-53},
    {0x1.3bcd133aa0ffcp-4, -0x1.89da82345938bp-62, 0x1.0e96c4d30631cp+2, -0x1.4addb673b082cp-52},
    {0x1.1eb024fc75285p-4, -0x1.58070e921ddb8p-58, 0x1.24dcbd4ddd2d8p+2, 0x1.6b27c98ac48e7p-55},
    {0x1.03d0ab9273b94p-4, -0x1.1c2fb565dcadep-60, 0x1.3d96b3ed16cfcp+2, 0x1.a6fd63bfedf19p-52},
    {0x1.d61dd57628999p-5, 0x1.9b0859048e098p-62, 0x1.591379d67f765p+2, 0x1.43dc7d4de4ba3p-53},
    {0x1.a8973c4b5c03ep-5, 0x1.d27662c1d9dc2p-59, 0x1.77acf033062ddp+2, -0x1.5ca2ac8fb368cp-52},
    {0x1.7ed039b24c96bp-5, 0x1.cd092b9dd7d57p-62, 0x1.99c9b92bc0816p+2, 0x1.e9a76a012c511p-54},
    {0x1.588cf12f4446bp-5, 0x1.3a42831ec7755p-59, 0x1.bfdf303123383p+2, -0x1.9a045471bbd51p-52},
    {0x1.3593328f6abbep-5, 0x1.841d364c8a4cp-62, 0x1.ea73b60ec9a23p+2, 0x1.b4372c91a3194p-54},
    {0x1.15aaa8ec85205p-5, -0x1.e86ee834da4cep-61, 0x1.0d10afd072397p+3, -0x1.9209d3050a26dp-52},
    {0x1.f13a043742333p-6, 0x1.e55725301c668p-62, 0x1.27cc8c63b2b6cp+3, 0x1.239665a2f539p-51},
    {0x1.bc6c1da1f3121p-6, 0x1.fbf90a59c8999p-60, 0x1.45d32843018edp+3, -0x1.41807dcb33f11p-51},
    {0x1.8c87b7a37834fp-6, -0x1.14874375a8755p-61, 0x1.6799a39e11188p+3, 0x1.2c02cf8fe7b51p-51},
    {0x1.612d893085125p-6, -0x1.7847afe4f2a7bp-62, 0x1.8da70e53d58a9p+3, -0x1.c0795669bec1dp-53},
    {0x1.3a02ffb1b7ceep-6, -0x1.07b426e97d22dp-60, 0x1.b897609244119p+3, -0x1.105c3d224a9fap-51},
    {0x1.16b24cb8f8f92p-6, -0x1.9d194a11ca30dp-62, 0x1.e91efa4201e64p+3, -0x1.81f57b4aee01ap-51},
    {0x1.edd4d2aec5adbp-7, 0x1.3d316b3d93a11p-62, 0x1.1007614abdfe8p+4, -0x1.83c1382669c37p-50},
    {0x1.b4be201caa4b4p-7, -0x1.6abde927f9cddp-61, 0x1.2f2c830c4fbd3p+4, 0x1.8e707c705360cp-50},
    {0x1.81915cb0e3323p-7, 0x1.544f685058488p-62, 0x1.528b9bd7baa36p+4, 0x1.173b3b8cf5d29p-52},
    {0x1.53c89d8bb3ddbp-7, -0x1.9e42624e454bfp-63, 0x1.7ac860242267fp+4, 0x1.502df3c19d8b5p-52},
    {0x1.2ae6f94510dd8p-7, -0x1.9a3501db08955p-61, 0x1.a8a188f46458cp+4, -0x1.1208147e2356ap-60},
    {0x1.0678442cc256fp-7, -0x1.77b62199d8601p-61, 0x1.dcf59ec2672acp+4, -0x1.d84f967a7f4edp-50},
    {0x1.cc218694238a2p-8, -0x1.6c65f3c472d8bp-62, 0x1.0c645608af2b7p+5, -0x1.0e26b625dfdfcp-49},
    {0x1.9299afa0246a6p-8, -0x1.e613bc6b0debdp-62, 0x1.2ea582ef0c7bp+5, -0x1.07b687fbf5d98p-54},
    {0x1.5fa14942c3d54p-8, -0x1.a851e43f76f3ap-64, 0x1.55f0b0ea4a4e6p+5, 0x1.4d5390d4b5c2ap-50},
    {0x1.328f5ec350e67p-8, -0x1.ca006412e68dp-62, 0x1.83173f0104086p+5, 0x1.03fe2be2ae3e9p-49},
    {0x1.0ac8fce979b96p-8, 0x1.31ada10982f1cp-62, 0x1.b70f56135e143p+5, 0x1.dd0aac7f6df3bp-51},
    {0x1.cf80d4afc3019p-9, -0x1.6aabfff1e020bp-63, 0x1.f2fad23691e58p+5, -0x1.a94d01a00fd6p-49},
    {0x1.91e8bd0830a74p-9, -0x1.430c1cfc0e9b8p-63, 0x1.1c17c6389421ap+6, 0x1.86501eb4edaebp-48},
    {0x1.5bde729a6b60fp-9, 0x1.999ec7becc5c7p-65, 0x1.4420a760e7c29p+6, -0x1.2598be8c9f21fp-49},
    {0x1.2c8c79e6f04a3p-9, 0x1.4e97e82b0f0d5p-63, 0x1.7286e64d07934p+6, 0x1.85fdd9d060f4ep-51},
    {0x1.033197ec68c0ep-9, -0x1.b0615fb45c6ffp-63, 0x1.a86586f7d73b9p+6, -0x1.13188e06b0d79p-48},
    {0x1.be3eb08ae7c2p-10, 0x1.fc597ebea88fep-64, 0x1.e70c69cf9b2b3p+6, -0x1.50b5ea354c03bp-48},
    {0x1.7f713f9cc9784p-10, -0x1.4207143202515p-64, 0x1.1805668ae9187p+7, -0x1.0f57bba74be25p-49},
    {0x1.48e09b21414bfp-10, 0x1.231a32f01fabap-64, 0x1.429e015588947p+7, -0x1.108b0ff0a0a94p-47},
    {0x1.198fd6a0ee7bdp-10, 0x1.78dc7315b06e8p-64, 0x1.746b6b5419cabp+7, -0x1.48069896cf62bp-47},
    {0x1.e139bb05eb49ep-11, 0x1.53391a59d4a3dp-65, 0x1.aec01fe664996p+7, -0x1.985f477b94cf5p-48},
    {0x1.9a7c305336484p-11, 0x1.6394dd2ff0093p-65, 0x1.f3310b286826fp+7, 0x1.3921371847b98p-54},
    {0x1.5d80693276a6dp-11, -0x1.2c813e9dc17a8p-65, 0x1.21d1ae70f48e7p+8, -0x1.e7084a9fde084p-48},
    {0x1.29082600643fdp-11, 0x1.8be7e5c848c07p-65, 0x1.512eb15f2dd5bp+8, 0x1.8addadb0a794dp-48},
    {0x1.f7f3581a4dc2cp-12, -0x1.47ac20184eb1p-67, 0x1.890d8ddaad2ccp+8, -0x1.28f4ed05dda28p-46},
    {0x1.aab859b20ac9ep-12, 0x1.88f4ff748376bp-66, 0x1.cb13b09130dadp+8, -0x1.21ff3c3cb00bfp-46},
    {0x1.68a8e4b2fc8c2p-12, -0x1.3d33e4230a349p-67, 0x1.0c9eadcea1351p+9, -0x1.859a5302de534p-47},
    {0x1.30439c56dadf6p-12, 0x1.2900671ba2e85p-67, 0x1.3af846451a53bp+9, 0x1.d508763aa68acp-51},
    {0x1.003692548d98bp-12, -0x1.10f9074eb74c4p-68, 0x1.720a19f2468e7p+9, 0x1.b773d194e8c6ap-46},
    {0x1.aeb4423e690e7p-13, -0x1.a732e928e4c5dp-68, 0x1.b396632e217aap+9, -0x1.eec0f4cb709cbp-47},
    {0x1.695875fb574ap-13, 0x1.6fccca0094919p-67, 0x1.00dfdc49118bdp+10, 0x1.112c8754a1988p-45},
    {0x1.2e984ed53e777p-13, 0x1.9c7db1f96e779p-72, 0x1.2f8f637492018p+10, 0x1.f6e0088df3141p-49},
    {0x1.f9da9fde95755p-14, 0x1.0a693604c077ep-70, 0x1.676e96846e22cp+10, 0x1.17f476cce9ca5p-47},
    {0x1.a609f7584d32bp-14, 0x1.d92f3f7ab9ef5p-68, 0x1.aa6b5eb30e9f9p+10, 0x1.e5aeda35e92f3p-46},
    {0x1.5f7524a8e81a2p-14, -0x1.a15182b56c404p-68, 0x1.fae15e168de28p+10, -0x1.4c870bc91d531p-45},
    {0x1.2422ed95a3235p-14, -0x1.8174270a3a7eap-68, 0x1.2dd9c66a45d7cp+11, 0x1.abbfcc74623bcp-43},
    {0x1.e4c0b066a497p-15, 0x1.abc4edc822f8ep-70, 0x1.68360b780795fp+11, 0x1.8c5bd0fe22a9p-44},
    {0x1.916f7c5f2f764p-15, 0x1.84e95673c70a1p-70, 0x1.aeb208cf68709p+11, 0x1.540fa3eabee86p-48},
    {0x1.4bd1bfa2aba3dp-15, -0x1.5c6bd7b275634p-69, 0x1.01fd429eb3aa4p+12, 0x1.9bbc4f7a809afp-42},
    {0x1.11c3bed8e716ap-15, -0x1.899ad47c9a36bp-70, 0x1.35adbee9a8fbdp+12, 0x1.67ef527e6d1edp-42},
    {0x1.c2e43d417197bp-16, 0x1.8892ee92cd786p-71, 0x1.7473779806b2p+12, 0x1.60820b77f0a47p-43},
    {0x1.729df6503422ap-16, 0x1.784ca4c429a15p-73, 0x1.c0d2bd0de2cd2p+12, -0x1.f871034c45ee5p-43},
    {0x1.3010aa198de78p-16, -0x1.e1c58eba0962ap-70, 0x1.0ef4df81232e8p+13, 0x1.9ba9b251b5602p-44},
    {0x1.f1febf7a916aap-17, 0x1.b7c360a6e4aeap-72, 0x1.47cb7e9a0983ep+13, 0x1.9b1bfd5645d77p-42},
    {0x1.970b05888fda2p-17, -0x1.0bb0383bc7248p-71, 0x1.8d54dc9733141p+13, -0x1.028d31b3c4bd7p-41},
    {0x1.4c144d984e1b8p-17, 0x1.2d1f7068bf3fbp-74, 0x1.e28f8e93846ecp+13, 0x1.ee7e4a2027c18p-41},
    {0x1.0e69f27a37df3p-17, 0x1.e0288dee8a607p-73, 0x1.259be3686b55p+14, -0x1.b06a4c20cdabep-40},
    {0x1.b792bbc489b04p-18, -0x1.a99758b268f91p-73, 0x1.65fc25465c2f9p+14, 0x1.21efa81ca3ddep-42},
    {0x1.649b01d73110ap-18, -0x1.badae53ec94c7p-72, 0x1.b55446cb1065ep+14, 0x1.6ea024d2902ebp-40},
    {0x1.20c1303550f0ep-18, -0x1.20ee80d2c8d09p-73, 0x1.0ba6e72d6d8f5p+15, 0x1.7907ad941260ep-40},
    {0x1.d2bfc6210880ap-19, 0x1.c3ef98d35f75p-73, 0x1.48412371ac607p+15, -0x1.0b70c8456448ap-39},
    {0x1.7885ce9f67cdbp-19, -0x1.004a4c0a6b8a9p-73, 0x1.935da294c4262p+15, 0x1.1d7c40b2a4352p-41},
    {0x1.2f2aa92823e8p-19, 0x1.f0e8f4bd6aaccp-73, 0x1.f0a2140a7d892p+15, 0x1.c232579d20d34p-39},
    {0x1.e749309831666p-20, -0x1.76172989e68aep-76, 0x1.3254aa5f3af66p+16, 0x1.a9b8537a517e9p-38},
    {0x1.86e0050236315p-20, 0x1.638022f0323e1p-76, 0x1.7aa3359dd8d77p+16, 0x1.ac34e80374ap-41},
    {0x1.38f2e86f38216p-20, -0x1.04a7333baf0fdp-74, 0x1.d4ed3f55a2df8p+16, -0x1.180a99ec3bb3cp-38},
    {0x1.f42c17ae0ebf6p-21, 0x1.c91d6549fc9c1p-75, 0x1.22f0d62aca143p+17, 0x1.be60285bd378dp-38},
    {0x1.8ef2a9a18d857p-21, -0x1.2d76dc03e80a5p-75, 0x1.69ba6c2ca2a13p+17, -0x1.380a0c2e6f135p-38},
    {0x1.3d9be56279ee9p-21, 0x1.fbb1f7268ed5p-76, 0x1.c29e2d272a149p+17, -0x1.410067d56f5b1p-41},
    {0x1.f8c0c2e2ce8dep-22, 0x1.ac2e9d31bb2d7p-76, 0x1.193965005cc6cp+18, 0x1.7604a9d005f2ep-37},
    {0x1.90538b942ea7cp-22, 0x1.9214373548f31p-76, 0x1.5fb3c88d99e26p+18, -0x1.77b10e95e7c19p-37},
    {0x1.3ce784b411931p-22, -0x1.8c77157062626p-76, 0x1.b8b3f16263b66p+18, 0x1.623982a22366ep-37},
    {0x1.f4c8c392fb944p-23, 0x1.65ee7c861c072p-79, 0x1.14a715b62719ap+19, -0x1.b51abe76a7e6fp-35},
    {0x1.8aee4cd06ec1bp-23, -0x1.519d0e06052c4p-79, 0x1.5c04ae6ee1d87p+19, -0x1.c6641ed22f024p-36},
    {0x1.36dcf18a6465cp-23, -0x1.711208717ecc9p-79, 0x1.b6a63b91f9fdfp+19, 0x1.7abd2afd68439p-36},
    {0x1.e87470e4f4246p-24, -0x1.cafa3aa5b4314p-82, 0x1.14fb5388c4cc5p+20, 0x1.e5a30487dd684p-35},
    {0x1.7f064a8ba8323p-24, -0x1.12749576b6062p-78, 0x1.5e7ad621b96eep+20, 0x1.b40f72da01c7ep-34},
    {0x1.2bc82ab9d2302p-24, 0x1.4b5a3c94128b3p-78, 0x1.bc5910e419a9ep+20, 0x1.b79e597004737p-35},
    {0x1.d45f15b49b35ep-25, 0x1.0893492a3a02p-79, 0x1.1a3a99d0a6e62p+21, 0x1.be85f80153b3dp-35},
    {0x1.6d3126d74b6ccp-25, -0x1.301eb5249fe1dp-79, 0x1.6737ce1b934b7p+21, 0x1.6a8032f4c445ep-33},
    {0x1.1c33cd3c37addp-25, -0x1.184b64e23521dp-81, 0x1.ca1a4d08764d9p+21, -0x1.fdb457fe5cce2p-33},
    {0x1.b9823c51276e1p-26, -0x1.a2e44396d39b5p-80, 0x1.24acda583cd4fp+22, -0x1.8d85c2a6c658cp-32},
    {0x1.564a91cd221fp-26, -0x1.37c7ed71d413ap-80, 0x1.76b3f9e445dd6p+22, -0x1.ee2bc7664b72p-36},
    {0x1.08ddd13bd35e7p-26, -0x1.615db40319381p-80, 0x1.e0a8999f90173p+22, -0x1.2ca1ec3baf4ebp-32},
    {0x1.99218b8ac7f8ep-27, 0x1.09cf5d7c44beap-82, 0x1.34e3f32dab1f2p+23, -0x1.5b68b19bf3c2ap-34},
    {0x1.3b62b6aafb0c8p-27, -0x1.6da080c6bf63dp-82, 0x1.8dc96ede6764bp+23, -0x1.dd937be46b2b1p-31},
    {0x1.e5510173b9a5p-28, -0x1.fb0a838c616fap-82, 0x1.00a25e7be0308p+24, -0x1.1097aed5195a3p-30},
    {0x1.74b179d1eba81p-28, -0x1.83473776fe2fcp-82, 0x1.4bc90514d25b8p+24, -0x1.743cd437569bp-30},
    {0x1.1da9433aebbcfp-28, 0x1.de598d0fefd21p-85, 0x1.adc81044bcd08p+24, 0x1.f28b6099fab8ap-43},
    {0x1.b512a1fb1d8fcp-29, 0x1.9aa5e17595859p-84, 0x1.16e7bb4149274p+25, 0x1.346b17f6252ecp-32},
    {0x1.4dbb989001d84p-29, 0x1.9901cd5402c73p-84, 0x1.6ab2623db329fp+25, -0x1.28585aaf0d31ap-29},
    {0x1.fcae93fb7323cp-30, 0x1.35a3596692c9cp-84, 0x1.d89586b87f355p+25, 0x1.6ce6718eec35ap-31},
    {0x1.82eedbe410407p-30, 0x1.6c8d1f533d9f4p-85, 0x1.347be960b7e3p+26, -0x1.eb497f0177407p-28},
    {0x1.25c354b26cb4ep-30, -0x1.683677f351cc5p-84, 0x1.9384fc97c7041p+26, 0x1.42e16322e9a01p-28},
    {0x1.bd3474ec16ca5p-31, 0x1.21dba8491370cp-85, 0x1.086ead78a30f2p+27, -0x1.f58b8df6ebf18p-28},
    {0x1.50b75c536f927p-31, -0x1.3c10e160b737ep-89, 0x1.5b401eb97c919p+27, 0x1.27ca66dc9df23p-29},
    {0x1.fc5b8748842b2p-32, -0x1.5e3d920bea296p-86, 0x1.c8e5ea014e18ep+27, -0x1.d218b4b801b53p-28},
    {0x1.7f03b935e8e3ap-32, -0x1.dec27620c6d2dp-86, 0x1.2d2bf1e8c23bdp+28, 0x1.732bbd917e923p-27},
    {0x1.2006aeb6bc768p-32, -0x1.074bf475e6a5fp-88, 0x1.8dd20777e99a9p+28, -0x1.d3351a58c7305p-28},
    {0x1.b05cfe2e99435p-33, -0x1.a071ed80552c6p-87, 0x1.074189b23515fp+29, -0x1.a563ab1a4abfdp-26},
    {0x1.43e56c3e340a7p-33, -0x1.5f538f1e78031p-87, 0x1.5d1929edfbd0ap+29, 0x1.286345da436c3p-27},
    {0x1.e45a9790460c1p-34, 0x1.a06cff54da2eap-88, 0x1.cfd6465656e9cp+29, -0x1.eec7d29400169p-27},
    {0x1.697595326d7dcp-34, -0x1.4b5b3173f334bp-88, 0x1.34bef83d89c2dp+30, 0x1.3dcabb305fd69p-24},
    {0x1.0d3b35021d695p-34, -0x1.42a25e7a42894p-89, 0x1.9bd3dcea57607p+30, -0x1.bd83e4e0108b6p-27},
    {0x1.904e0b3aa82a3p-35, 0x1.5686bc2895053p-90, 0x1.13331955f5c6p+31, 0x1.67ee996286a3fp-24},
    {0x1.2906cb94eb40dp-35, -0x1.c0660ecf7e5b9p-91, 0x1.70848accac13fp+31, -0x1.46da212727497p-23},
    {0x1.b7f1f31b571b6p-36, -0x1.c40e495eaaa89p-92, 0x1.ee71b2d4de48dp+31, -0x1.3e79ceaa4b0a6p-23},
    {0x1.453141082302ap-36, -0x1.1a101007d8742p-90, 0x1.4c5953de0453ep+32, 0x1.66eb820adb0a8p-22},
    {0x1.dfd296adef82ap-37, 0x1.980e4c28b8064p-91, 0x1.bfa94d0fa9dbp+32, 0x1.70c11c755af53p-22},
    {0x1.61500f5293f06p-37, -0x1.0e1405b5fdf78p-94, 0x1.2e14aea859c69p+33, -0x1.9ec42aa383653p-24},
    {0x1.03a918225a966p-37, -0x1.c2dcdc5c54b57p-91, 0x1.987bdbc7871aap+33, -0x1.ad3cc2d68501bp-22},
    {0x1.7cef42e9a617dp-38, 0x1.22a7daf8a3e2fp-92, 0x1.14b9058426c14p+34, 0x1.6e0bd25c57aaap-21},
    {0x1.16e3ca3d4393fp-38, 0x1.dc30a4012562bp-92, 0x1.77a88ab2f192p+34, -0x1.a448d250a56fap-20},
    {0x1.97945aa1c9c35p-39, -0x1.baf2404348f92p-93, 0x1.fef68bc3c068dp+34, -0x1.d31c413bb0f0dp-20},
    {0x1.294150fb19119p-39, 0x1.b9120a646eb4p-97, 0x1.5c2e282817659p+35, 0x1.e4f151a02c4b9p-20},
    {0x1.b0c1a759f7739p-40, -0x1.b28568855c7a1p-94, 0x1.db71076da9d17p+35, -0x1.a25e946f2983ap-20},
    {0x1.3a68a8c1234e1p-40, 0x1.3722232860d74p-97, 0x1.453e439ce993dp+36, -0x1.dc6add02e16f5p-19},
    {0x1.c7fa0c7e3bac7p-41, -0x1.fbfe69f39a91ap-96, 0x1.bddbed36be88p+36, -0x1.f616ec24c2e89p-20},
    {0x1.4a029a7ea7cd1p-41, -0x1.9cc3eb4650127p-95, 0x1.32333550ac5ffp+37, 0x1.47176ff7775e6p-19},
    {0x1.dcc4fabf32f1cp-42, -0x1.748a050f39acfp-96, 0x1.a5658a264c883p+37, -0x1.f5eaff4de7797p-17},
    {0x1.57bc950253825p-42, -0x1.0dc3ea25d92dbp-102, 0x1.2288643c69611p+38, 0x1.03f35cae7f6a5p-16},
    {0x1.eeb27891d2bb3p-43, -0x1.71d1156d4afcep-97, 0x1.91666a968a5e9p+38, 0x1.bfbaa57062c2fp-16},
    {0x1.634b7f56b0a5cp-43, -0x1.a84a0a0c63abfp-98, 0x1.15d449ee59e35p+39, 0x1.5cd895e511b29p-16},
    {0x1.fd5f08ad2b29ap-44, 0x1.e5b1d0c5bf934p-99, 0x1.8159e938afbfdp+39, 0x1.236b51ec7c695p-15},
    {0x1.6c6e61e57bf9bp-44, 0x1.e1df1302dc821p-99, 0x1.0bc3d3d3257dap+40, -0x1.6b2b1aa409e87p-15},
    {0x1.043b9f1621ff3p-44, -0x1.8a2177f602255p-100, 0x1.74d8755e7ff0cp+40, -0x1.cf9cb771e4573p-20},
    {0x1.72f0c4c8e9bffp-45, 0x1.9482c82b6836p-99, 0x1.0416d983ced11p+41, -0x1.4d8fa58c5f844p-15},
    {0x1.07dd6833bb38p-45, -0x1.63b11e0c47d2ap-99, 0x1.6b9337fc2c97fp+41, -0x1.e42abe7d7816p-14},
    {0x1.76aca47764427p-46, -0x1.7d962bd3e16a6p-105, 0x1.fd3ae42214524p+41, 0x1.210ff35e2d9aep-13},
    {0x1.097f82fc04025p-46, -0x1.22acca5ce58afp-103, 0x1.6550d5a9c98e5p+42, -0x1.d54ebfed7992bp-12},
    {0x1.778be2bd9795bp-47, -0x1.99ad8d52288c8p-104, 0x1.f66c010214adap+42, -0x1.4664f60d78723p-12},
    {0x1.09182b326b229p-47, -0x1.22e85b13a8e1dp-102, 0x1.61eb1dc33890fp+43, -0x1.49436a31f4e87p-14},
    {0x1.7589207e91ad1p-48, 0x1.43f24ff89337cp-102, 0x1.f397b5e8e0599p+43, 0x1.29fac41625577p-14},
    {0x1.06a996198f06fp-48, -0x1.2c3e9e8be3eb3p-102, 0x1.614d850e38cap+44, 0x1.6ca055bf340fp-11},
    {0x1.70aff489136ebp-49, -0x1.cb61943bbe2dep-103, 0x1.f4acf2192306cp+44, -0x1.28b8ce4e60d1p-10},
    {0x1.0241de6c31e5bp-49, -0x1.636c6dd3916bp-103, 0x1.63745622f3e2p+45, -0x1.287a23285cec9p-11},
    {0x1.691c7c768becep-50, -0x1.83dd18d7e87f6p-104, 0x1.f9b23bd5995f2p+45, -0x1.d7735fc7743dfp-11},
    {0x1.f7f4f88751db4p-51, 0x1.4d9ca78674d69p-107, 0x1.686c8c1697592p+46, 0x1.a9c03816eb04dp-8},
    {0x1.5efa4d64f59f6p-51, 0x1.1a35cd984cafp-106, 0x1.0162f90827c89p+47, 0x1.ce57791faf34ep-8},
    {0x1.e7eea02e4ed88p-52, -0x1.824cc1e2339a2p-106, 0x1.70545558710f6p+47, 0x1.8cd25ea2a8375p-7},
    {0x1.5282d2d5803fep-52, -0x1.d1031c67e6ddfp-106, 0x1.080fbfb556925p+48, -0x1.b7ba3808913f5p-7},
    {0x1.d4ca9b634ecbap-53, 0x1.7013429c9e27ap-110, 0x1.7b5c45fd64dd1p+48, 0x1.fa746a22a9041p-6},
    {0x1.43fb317b5dc37p-53, 0x1.ed67d2a18b2dfp-107, 0x1.1108c7c523bdp+49, -0x1.3cd6061ec7515p-6},
    {0x1.bef1b1a12823ep-54, -0x1.b1807c3b357d3p-108, 0x1.89c94a84e4d2bp+49, -0x1.3d0e169a1a1d9p-5},
};
