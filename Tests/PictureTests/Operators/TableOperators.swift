import Tributary

/// The code of the page *Tables*.
enum TableOperators {
    static func changes(_ builder: StreamsBuilder) {
        // snippet.changes
        builder.table("prices", of: Int64.self, as: "prices")
            .filter { _, euros in euros < 100 }
            .mapValues { euros in "\(euros) EUR" }
            .toStream()
            .to("cheap")
        // snippet.end
    }

    static func joins(_ builder: StreamsBuilder) {
        // snippet.joins
        let names = builder.table("names", of: String.self)
        let cities = builder.table("cities", of: String.self)
        names.join(cities) { name, city in "\(name), \(city)" }.toStream().to("inner")
        names.leftJoin(cities) { name, city in "\(name), \(city ?? "-")" }.toStream().to("left")
        names.outerJoin(cities) { name, city in "\(name ?? "-"), \(city ?? "-")" }.toStream().to("outer")
        // snippet.end
    }

    static func foreignKey(_ builder: StreamsBuilder) {
        // snippet.foreign
        let customers = builder.table("customers", of: String.self)  // customer: name
        builder.table("orders", of: String.self)  // order: customer
            .join(customers, on: { customer in customer }) { _, name in "for \(name)" }
            .toStream()
            .to("labels")
        // snippet.end
    }
}
