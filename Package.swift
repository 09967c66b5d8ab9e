// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"), .enableUpcomingFeature("ImmutableWeakCaptures"),
    .enableExperimentalFeature("Lifetimes"),  // spans in our own types
]
// The core, which owns raw memory for everyone above, and each importer of a C library.
let unsafeSettings = settings + [.strictMemorySafety()]

func library(_ name: String, _ pkgConfig: String, apt: String, brew: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt]), .brew([brew])])
}

// Programs for libFuzzer; an ordinary build makes empty ones of them.
let fuzzers: [Target] = [
    ("Batch", ["TributaryLMDB", "TributaryCore"]), ("Case", ["TributaryConformance"]),
    ("Cell", ["TributaryLineage", "TributaryCore"]), ("Envelope", ["TributaryLineage", "TributaryCore"]),
    ("Headers", ["TributaryRuntime", "TributaryLineage", "TributaryCore"]),
    ("Positions", ["TributaryRuntime", "TributaryCore"]), ("Telemetry", ["TributaryTelemetry", "TributaryCore"]),
].map { (name: String, dependencies: [Target.Dependency]) in
    .executableTarget(
        name: "Fuzz\(name)", dependencies: dependencies, path: "Tests/Fuzz/\(name)", swiftSettings: unsafeSettings)
}

let package = Package(
    name: "tributary",
    products: [
        .library(name: "Tributary", targets: ["Tributary"]),
        .library(name: "TributaryTesting", targets: ["TributaryTesting"]),
        .executable(name: "tributary", targets: ["tributary-tool"]),
        // For the benchmarks, a package of their own.
        .library(name: "_AllocationCounter", targets: ["CAllocationCounter"]),
    ],
    targets: [
        library("CXXHash", "libxxhash", apt: "libxxhash-dev", brew: "xxhash"),
        library("CLMDB", "lmdb", apt: "liblmdb-dev", brew: "lmdb"),
        .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "TributaryCore", swiftSettings: unsafeSettings),
        .target(name: "TributaryLineage", dependencies: ["TributaryCore", "CXXHash"], swiftSettings: unsafeSettings),
        library("CZlib", "zlib", apt: "zlib1g-dev", brew: "zlib"),
        .target(
            name: "TributaryTelemetry", dependencies: ["TributaryCore", "TributaryLineage", "CZlib"],
            swiftSettings: unsafeSettings),
        .target(name: "TributaryState", dependencies: ["TributaryCore", "TributaryLineage"], swiftSettings: settings),
        .target(
            name: "TributaryDSL", dependencies: ["TributaryCore", "TributaryLineage", "TributaryState"],
            swiftSettings: settings),
        .target(
            name: "TributaryRuntime",
            dependencies: ["TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "CLinux"],
            swiftSettings: settings),
        .target(name: "TributaryFoundation", dependencies: ["TributaryCore"], swiftSettings: settings),
        .target(
            name: "Tributary",
            dependencies: [
                "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime",
                "TributaryLMDB", "TributaryTelemetry", "TributaryFoundation",
            ], swiftSettings: settings),
        .target(
            name: "TributaryTesting",
            dependencies: ["TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime"],
            swiftSettings: settings),
        .testTarget(
            name: "TributaryStateTests", dependencies: ["TributaryCore", "TributaryState", "TributaryTesting"],
            swiftSettings: settings),
        .target(
            name: "TributaryLMDB",
            dependencies: ["TributaryState", "TributaryLineage", "TributaryCore", "CLMDB", "CLinux"],
            swiftSettings: unsafeSettings),
        // A second process for the tests of the log: produces, waits, dies when told.
        .executableTarget(
            name: "log-test-process", dependencies: ["TributaryLMDB", "TributaryCore"], path: "Tests/LogTestProcess",
            swiftSettings: unsafeSettings),
        .testTarget(
            name: "TributaryLMDBTests",
            dependencies: [
                "TributaryLMDB", "TributaryState", "TributaryLineage", "TributaryCore", "TributaryTesting",
                "log-test-process",
            ],
            swiftSettings: unsafeSettings),
        .target(
            name: "TributaryConformance",
            dependencies: [
                "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryTesting",
                "TributaryRuntime", "TributaryTelemetry", "TributaryLMDB", "Tributary",
            ], swiftSettings: settings),
        .executableTarget(
            name: "tributary-conformance", dependencies: ["TributaryConformance"], swiftSettings: settings),
        .testTarget(
            name: "TributaryConformanceTests", dependencies: ["TributaryConformance", "TributaryCore"],
            swiftSettings: settings),
        .testTarget(
            name: "ConformanceTests", dependencies: ["TributaryConformance"], exclude: ["Data"], swiftSettings: settings
        ),
        .testTarget(
            name: "TributaryTestingTests", dependencies: ["TributaryTesting", "TributaryCore"], swiftSettings: settings),
        .testTarget(
            name: "TributaryTests", dependencies: ["Tributary", "TributaryLMDB", "TributaryTesting"],
            swiftSettings: settings),
        .testTarget(
            name: "TributaryDSLTests",
            dependencies: [
                "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime",
                "TributaryTesting",
            ],
            swiftSettings: settings),
        // The bank app, killed at random points: the application, the process that runs it, the tests that kill that.
        .target(
            name: "CrashApplication", dependencies: ["Tributary", "TributaryLMDB"], path: "Tests/CrashApplication",
            swiftSettings: settings),
        .executableTarget(
            name: "tributary-crash-child", dependencies: ["CrashApplication", "Tributary"], path: "Tests/CrashChild",
            swiftSettings: settings),
        .testTarget(
            name: "CrashTests",
            dependencies: ["CrashApplication", "Tributary", "TributaryLMDB", "tributary-crash-child"],
            swiftSettings: settings),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .testTarget(
            name: "AllocationTests",
            dependencies: [
                "CAllocationCounter", "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL",
                "TributaryRuntime", "TributaryTesting",
            ], swiftSettings: settings),
        .testTarget(
            name: "TributaryCoreTests", dependencies: ["TributaryCore"], exclude: ["murmur2-vectors.json"],
            swiftSettings: settings),
        .testTarget(
            name: "TributaryLineageTests", dependencies: ["TributaryCore", "TributaryLineage"],
            exclude: ["Vectors"], swiftSettings: settings),
        .testTarget(
            name: "TributaryTelemetryTests", dependencies: ["TributaryCore", "TributaryLineage", "TributaryTelemetry"],
            swiftSettings: settings),
        .target(
            name: "TributaryCLI",
            dependencies: [
                "Tributary", "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime",
                "TributaryLMDB", "TributaryTelemetry", "TributaryFoundation",
            ], swiftSettings: settings),
        .executableTarget(name: "tributary-tool", dependencies: ["TributaryCLI"], swiftSettings: settings),
        .testTarget(
            name: "TributaryCLITests",
            dependencies: ["TributaryCLI", "Tributary", "tributary-tool"],
            swiftSettings: settings),
    ] + fuzzers
)
