// swift-tools-version: 6.3
import PackageDescription

// Seven applications, each small enough to be read in one go; `Examples/check` runs them on real input.
func app(_ name: String, path: String? = nil) -> Target {
    .executableTarget(
        name: name, dependencies: [.product(name: "Tributary", package: "tributary")], path: path ?? name)
}

let package = Package(
    name: "examples",
    dependencies: [.package(name: "tributary", path: "..")],
    targets: [
        app("WordCount"), app("PageViews"), app("FraudAlerts"), app("Sensors"), app("Deduplication"), app("Orders"),
        app("bank", path: "Bank/Sources/bank"),
    ],
    swiftLanguageModes: [.v6]
)
