// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "bank",
    dependencies: [.package(name: "tributary", path: "../..")],
    targets: [
        .executableTarget(name: "bank", dependencies: [.product(name: "Tributary", package: "tributary")])
    ],
    swiftLanguageModes: [.v6]
)
