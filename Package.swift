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

let package = Package(
    name: "tributary",
    products: [],
    targets: [
        library("CXXHash", "libxxhash", apt: "libxxhash-dev", brew: "xxhash"),
        library("CLMDB", "lmdb", apt: "liblmdb-dev", brew: "lmdb"),
        .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "TributaryCore", swiftSettings: unsafeSettings),
        .target(name: "TributaryLineage", dependencies: ["TributaryCore", "CXXHash"], swiftSettings: unsafeSettings),
        .target(name: "TributaryState", dependencies: ["TributaryCore", "TributaryLineage"], swiftSettings: settings),
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
            dependencies: ["TributaryLMDB", "TributaryState", "TributaryLineage", "TributaryCore", "log-test-process"],
            swiftSettings: unsafeSettings),
        .testTarget(name: "TributaryCoreTests", dependencies: ["TributaryCore"], swiftSettings: settings),
    ]
)
