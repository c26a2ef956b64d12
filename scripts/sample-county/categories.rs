//! The 47 kinds of hazard sources in four risk units.
//!
//! The county's plan gives the two numbers but lists neither units nor kinds; these are invented.

/// Where the sources of a kind are found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// On an industrial estate.
    Estate,
    /// In a town.
    Town,
    /// In a village.
    Village,
    /// On a slope.
    Slope,
    /// Beside a road.
    Road,
    /// On a river bank.
    Bank,
}

/// One kind of hazard source.
pub(crate) struct Category {
    /// Letter of the unit and two digits.
    pub(crate) code: &'static str,
    /// The risk unit.
    pub(crate) unit: &'static str,
    /// Chinese name.
    pub(crate) zh: &'static str,
    /// English name.
    pub(crate) en: &'static str,
    /// The trade, if it is one of the thirteen.
    pub(crate) industry: Option<&'static str>,
    /// The supervising department.
    pub(crate) supervisor: &'static str,
    /// Where its sources are.
    pub(crate) setting: Setting,
    /// Number of sources.
    pub(crate) count: usize,
    /// Typical severity: 0 minor to 3 severe.
    pub(crate) gravity: usize,
    /// Suffix after the place in the name of a source.
    pub(crate) noun: &'static str,
}

/// All kinds, in the order of their codes.
pub(crate) const CATEGORIES: [Category; 47] = [
    kind("I01", "陶瓷生产企业", "Ceramics works", Some("trade"), "县工信局", Setting::Estate, 78, 1, "陶瓷厂"),
    kind(
        "I02",
        "危险化学品生产储存企业",
        "Hazardous chemicals plant or store",
        Some("hazchem"),
        "县应急管理局",
        Setting::Estate,
        9,
        3,
        "化工仓储",
    ),
    kind("I03", "加油站", "Filling station", Some("hazchem"), "县商务局", Setting::Road, 34, 2, "加油站"),
    kind(
        "I04",
        "烟花爆竹经营点",
        "Fireworks shop",
        Some("hazchem"),
        "县应急管理局",
        Setting::Town,
        41,
        1,
        "烟花爆竹零售点",
    ),
    kind("I05", "非煤矿山", "Non-coal mine", Some("mine"), "县应急管理局", Setting::Slope, 26, 3, "采石场"),
    kind(
        "I06",
        "尾矿库和排土场",
        "Tailings or waste heap",
        Some("mine"),
        "县应急管理局",
        Setting::Slope,
        8,
        3,
        "排土场",
    ),
    kind(
        "I07",
        "民爆物品储存库",
        "Civil explosives magazine",
        Some("explosives"),
        "县公安局",
        Setting::Slope,
        5,
        3,
        "民爆库",
    ),
    kind("I08", "涉氨制冷企业", "Ammonia cold store", Some("trade"), "县市场监管局", Setting::Estate, 7, 2, "冷冻厂"),
    kind(
        "I09",
        "粉尘涉爆企业",
        "Dust explosion works",
        Some("trade"),
        "县应急管理局",
        Setting::Estate,
        31,
        2,
        "木业加工厂",
    ),
    kind(
        "I10",
        "有限空间作业企业",
        "Confined space works",
        Some("trade"),
        "县应急管理局",
        Setting::Estate,
        38,
        1,
        "污水处理车间",
    ),
    kind(
        "I11",
        "金属冶炼铸造企业",
        "Metal smelting or casting",
        Some("trade"),
        "县应急管理局",
        Setting::Estate,
        8,
        2,
        "铸造厂",
    ),
    kind(
        "I12",
        "锅炉压力容器使用单位",
        "Boiler or pressure vessel",
        Some("special_equipment"),
        "县市场监管局",
        Setting::Estate,
        62,
        1,
        "锅炉房",
    ),
    kind("I13", "液化石油气储配站", "LPG filling depot", Some("gas"), "县住建局", Setting::Road, 11, 3, "液化气储配站"),
    kind(
        "I14",
        "粮食食品加工企业",
        "Food processing",
        Some("trade"),
        "县工信局",
        Setting::Village,
        47,
        0,
        "食品加工厂",
    ),
    kind(
        "I15",
        "竹木制品企业",
        "Bamboo or timber works",
        Some("fire"),
        "县工信局",
        Setting::Village,
        58,
        1,
        "竹木制品厂",
    ),
    kind(
        "I16",
        "建筑施工工地",
        "Construction site",
        Some("construction"),
        "县住建局",
        Setting::Town,
        44,
        1,
        "建筑工地",
    ),
    kind("C01", "中小学校", "School", Some("school"), "县教育局", Setting::Village, 66, 1, "学校"),
    kind("C02", "幼儿园", "Kindergarten", Some("school"), "县教育局", Setting::Village, 58, 1, "幼儿园"),
    kind("C03", "医院和卫生院", "Hospital or clinic", Some("fire"), "县卫健局", Setting::Town, 24, 1, "卫生院"),
    kind("C04", "养老服务机构", "Care home", Some("fire"), "县民政局", Setting::Village, 32, 2, "敬老院"),
    kind("C05", "商场超市", "Shop or supermarket", Some("fire"), "县商务局", Setting::Town, 46, 1, "超市"),
    kind("C06", "集贸市场", "Market", Some("fire"), "县市场监管局", Setting::Town, 22, 1, "农贸市场"),
    kind("C07", "宾馆旅馆民宿", "Hotel or guest house", Some("fire"), "县公安局", Setting::Town, 52, 1, "旅馆"),
    kind("C08", "歌舞娱乐场所", "Entertainment venue", Some("fire"), "县文体旅局", Setting::Town, 27, 2, "娱乐会所"),
    kind("C09", "网吧影院", "Internet cafe or cinema", Some("fire"), "县文体旅局", Setting::Town, 16, 1, "影院"),
    kind("C10", "宗教活动场所", "Place of worship", Some("fire"), "县民宗局", Setting::Village, 63, 1, "宫庙"),
    kind("C11", "旅游景区温泉", "Scenic area or hot spring", None, "县文体旅局", Setting::Slope, 14, 1, "景区"),
    kind("C12", "客运站码头", "Coach station or pier", Some("transport"), "县交通运输局", Setting::Bank, 12, 1, "渡口"),
    kind(
        "C13",
        "劳动密集型企业",
        "Labor-intensive works",
        Some("fire"),
        "县应急管理局",
        Setting::Estate,
        29,
        1,
        "服装鞋业厂",
    ),
    kind("P01", "桥梁", "Bridge", Some("transport"), "县交通运输局", Setting::Bank, 88, 1, "大桥"),
    kind("P02", "隧道", "Tunnel", Some("transport"), "县交通运输局", Setting::Slope, 13, 1, "隧道"),
    kind(
        "P03",
        "临水临崖急弯陡坡路段",
        "Road by water or cliff, sharp bend, steep grade",
        Some("road_traffic"),
        "县交通运输局",
        Setting::Road,
        134,
        1,
        "临水临崖路段",
    ),
    kind("P04", "水库", "Reservoir", None, "县水利局", Setting::Bank, 52, 2, "水库"),
    kind("P05", "小水电站", "Small hydropower station", None, "县水利局", Setting::Bank, 64, 1, "水电站"),
    kind("P06", "堤防水闸泵站", "Dike, sluice or pump station", None, "县水利局", Setting::Bank, 36, 1, "水闸"),
    kind("P07", "变电站配电设施", "Substation", None, "县发改局", Setting::Town, 31, 0, "变电站"),
    kind(
        "P08",
        "燃气管道及调压站",
        "Gas main or regulator",
        Some("gas"),
        "县住建局",
        Setting::Town,
        23,
        2,
        "燃气调压站",
    ),
    kind("P09", "自来水厂", "Waterworks", None, "县住建局", Setting::Village, 27, 0, "自来水厂"),
    kind(
        "P10",
        "污水处理和垃圾处置设施",
        "Sewage or waste plant",
        None,
        "县生态环境局",
        Setting::Bank,
        22,
        0,
        "污水处理站",
    ),
    kind("P11", "电梯", "Lift", Some("special_equipment"), "县市场监管局", Setting::Town, 49, 0, "电梯"),
    kind("P12", "高层建筑", "High-rise building", Some("fire"), "县住建局", Setting::Town, 42, 1, "高层住宅楼"),
    kind(
        "O01",
        "老旧土木结构房屋连片区",
        "Old timber and earth houses",
        Some("fire"),
        "县住建局",
        Setting::Village,
        96,
        2,
        "土木结构老屋片区",
    ),
    kind(
        "O02",
        "自建房",
        "Self-built house",
        Some("construction"),
        "县住建局",
        Setting::Village,
        88,
        1,
        "经营性自建房",
    ),
    kind(
        "O03",
        "三合一场所",
        "Shop, workshop and home in one",
        Some("fire"),
        "县消防救援大队",
        Setting::Town,
        49,
        2,
        "沿街店铺",
    ),
    kind(
        "O04",
        "渔业船舶和养殖平台",
        "Fishing boat or fish farm",
        Some("vessel"),
        "县农业农村局",
        Setting::Bank,
        18,
        0,
        "渔排",
    ),
    kind(
        "O05",
        "农村公路客货运车辆停放点",
        "Vehicle park",
        Some("road_traffic"),
        "县交通运输局",
        Setting::Road,
        22,
        0,
        "货运停车场",
    ),
    kind(
        "O06",
        "粉尘毒物作业场所",
        "Dust or poison at work",
        Some("health"),
        "县卫健局",
        Setting::Estate,
        28,
        1,
        "石材加工场",
    ),
];

#[expect(clippy::too_many_arguments, reason = "one line of a table")]
const fn kind(
    code: &'static str,
    zh: &'static str,
    en: &'static str,
    industry: Option<&'static str>,
    supervisor: &'static str,
    setting: Setting,
    count: usize,
    gravity: usize,
    noun: &'static str,
) -> Category {
    let unit = match code.as_bytes()[0] {
        b'I' => "industrial",
        b'C' => "crowded",
        b'P' => "public",
        _ => "other",
    };
    Category { code, unit, zh, en, industry, supervisor, setting, count, gravity, noun }
}

/// The table that ships beside the catalog.
pub(crate) fn table() -> String {
    let mut table = String::from("code,unit,zh,en\n");
    for category in &CATEGORIES {
        // An English name may hold commas, a cell of this table may not.
        let en = category.en.replace(',', " /");
        table += &[category.code, category.unit, category.zh, &en].join(",");
        table.push('\n');
    }
    table
}
