// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "tributary-benchmarks",
    dependencies: [.package(name: "tributary", path: "..")],
    targets: [
        // The same paths as bare C loops: what the ratios are against.
        .target(
            name: "CBaselines", cSettings: [.define("_GNU_SOURCE")],
            linkerSettings: [.linkedLibrary("lmdb"), .linkedLibrary("xxhash")]),
        .executableTarget(
            name: "tributary-bench",
            dependencies: [
                "CBaselines", .product(name: "Tributary", package: "tributary"),
                .product(name: "_AllocationCounter", package: "tributary"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
        // The workloads of the comparison with Kafka Streams, each as one process under its harness.
        .executableTarget(
            name: "tributary-bench-peer", dependencies: [.product(name: "Tributary", package: "tributary")],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
        // JSON against Foundation's coders.
        .executableTarget(
            name: "tributary-bench-json", dependencies: [.product(name: "TributaryJSON", package: "tributary")],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
        // What a change may not make worse: run by `gate` under valgrind.
        .executableTarget(
            name: "tributary-bench-gate",
            dependencies: [
                .product(name: "Tributary", package: "tributary"),
                .product(name: "TributaryTesting", package: "tributary"),
                .product(name: "_AllocationCounter", package: "tributary"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
    ]
)
