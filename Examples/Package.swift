// swift-tools-version: 6.3
import PackageDescription

// Twelve applications, each small enough to be read in one go; `Examples/check` runs them on real input.
func app(_ name: String, path: String? = nil, uses products: [String] = ["Tributary"]) -> Target {
    .executableTarget(
        name: name, dependencies: products.map { .product(name: $0, package: "tributary") }, path: path ?? name)
}

let package = Package(
    name: "examples",
    dependencies: [.package(name: "tributary", path: "..")],
    targets: [
        app("WordCount"), app("PageViews"), app("FraudAlerts"), app("Sensors"), app("Deduplication"), app("Orders"),
        app("Visits"), app("CustomerOrders"), app("LateReadings"), app("Checkout"),
        app("Stars", uses: ["Tributary", "TributaryWeb"]),
        app("bank", path: "Bank/Sources/bank"),
    ],
    swiftLanguageModes: [.v6]
)
